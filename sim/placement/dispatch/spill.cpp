// The even split; then GPUs above `spill_above` times the mean hand tokens of their hottest
// experts to the least loaded GPUs, which fetch those experts' weights for this step
// (LayerLoad::received). A GPU is filled at most to the mean, so nothing is handed on.
// The network shares (shares()) are those of the even split: spilled tokens are routed there in
// the model's traffic.
#include <algorithm>
#include <numeric>

#include "sim/placement/dispatch/per_step.hpp"
#include "sim/placement/dispatch/policies.hpp"

namespace moesim::dispatch {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

class Spill final : public PerStep {
 public:
  Spill(const Placement& placement, const DispatchSettings& settings)
      : PerStep(placement, settings), above_(settings.spill_above) {}

  void split(int layer, std::span<const double> counts, LayerLoad& out) override {
    assign_evenly(layer, counts, out.slot);
    add_up(layer, out);
    const double mean = std::accumulate(counts.begin(), counts.end(), 0.0) / placement().gpus;
    if (mean <= 0) return;
    order_.resize(out.gpu.size());
    std::iota(order_.begin(), order_.end(), 0);
    std::ranges::stable_sort(order_, [&](int a, int b) {
      return out.gpu[z(a)] / speed(z(a)) > out.gpu[z(b)] / speed(z(b));
    });
    for (const int g : order_) {
      if (out.gpu[z(g)] / speed(z(g)) <= above_ * mean) break;
      relieve(layer, g, mean, out);
    }
  }

 protected:
  void assign(int layer, std::span<const double> counts,
              std::vector<double>& slot_tokens) override {
    assign_evenly(layer, counts, slot_tokens);
  }

 private:
  // Brings GPU `g` down to the threshold, hottest slot first.
  void relieve(int layer, int g, double mean, LayerLoad& out) const {
    const auto begin = placement().gpu_slots(layer);
    double excess = out.gpu[z(g)] - above_ * mean * speed(z(g));
    for (int guard = 0; excess > 1e-9 * mean && guard < placement().gpus; ++guard) {
      const auto first = out.slot.begin() + begin[z(g)];
      const auto hottest = std::max_element(first, out.slot.begin() + begin[z(g) + 1]);
      const int to = idlest(mean, out);
      const double room = mean * speed(z(to)) - out.gpu[z(to)];
      const double amount = std::min({excess, *hottest, room});
      if (amount <= 0) return;
      *hottest -= amount;
      out.gpu[z(g)] -= amount;
      out.gpu[z(to)] += amount;
      out.active[z(to)] += std::min(1.0, amount);
      out.received[z(to)] += 1;
      out.hottest[z(to)] = std::max(out.hottest[z(to)], amount);
      excess -= amount;
    }
    out.hottest[z(g)] =
        *std::max_element(out.slot.begin() + begin[z(g)], out.slot.begin() + begin[z(g) + 1]);
  }

  int idlest(double mean, const LayerLoad& out) const {
    int best = 0;
    const auto room = [&](int g) { return mean * speed(z(g)) - out.gpu[z(g)]; };
    for (int g = 1; g < placement().gpus; ++g) {
      if (room(g) > room(best)) best = g;
    }
    return best;
  }

  double above_;
  std::vector<int> order_;
};

}  // namespace

std::unique_ptr<DispatchPolicy> spill(const Placement& p, const DispatchSettings& settings) {
  return std::make_unique<Spill>(p, settings);
}

}  // namespace moesim::dispatch
