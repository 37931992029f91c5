// Two policies that no engine can run; they say what there is to gain.
//   balanced     every GPU gets the mean, whatever the placement
//   lower_bound  as balanced, but the busiest GPU carries what the best placement of these
//                counts in as many slots must put on one GPU (load_bound)
// Slots keep the proportions of the even split within their GPU; only totals per GPU are right.
#include <numeric>

#include "sim/placement/bounds.hpp"
#include "sim/placement/dispatch/per_step.hpp"
#include "sim/placement/dispatch/policies.hpp"

namespace moesim::dispatch {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

class Oracle : public PerStep {
 public:
  using PerStep::PerStep;

  void split(int layer, std::span<const double> counts, LayerLoad& out) final {
    assign_evenly(layer, counts, out.slot);
    add_up(layer, out);
    const auto begin = placement().gpu_slots(layer);
    const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
    // speeds have mean 1: at `level` everywhere all is carried
    const double level = total / placement().gpus;
    const double busiest = busiest_level(layer, counts, level);
    const double first = busiest * speed(0);
    const double rest_speed = placement().gpus - speed(0);
    for (std::size_t g = 0; g < out.gpu.size(); ++g) {
      const double target =
          g == 0 || rest_speed <= 0 ? first : (total - first) / rest_speed * speed(g);
      const double slots = begin[g + 1] - begin[g];
      for (std::size_t s = z(begin[g]); s < z(begin[g + 1]); ++s) {
        out.slot[s] = out.gpu[g] > 0 ? out.slot[s] * (target / out.gpu[g]) : target / slots;
      }
    }
    add_up(layer, out);
    for (std::size_t g = 0; g < out.gpu.size(); ++g) {  // those without slots included
      out.gpu[g] = g == 0 || rest_speed <= 0 ? first : (total - first) / rest_speed * speed(g);
    }
  }

 protected:
  virtual double busiest_level(int layer, std::span<const double> counts,
                               double mean) const = 0;

  void assign(int layer, std::span<const double> counts,
              std::vector<double>& slot_tokens) override {
    assign_evenly(layer, counts, slot_tokens);
  }
};

class Balanced final : public Oracle {
 public:
  using Oracle::Oracle;

 private:
  double busiest_level(int, std::span<const double>, double mean) const override {
    return mean;
  }
};

class LowerBound final : public Oracle {
 public:
  using Oracle::Oracle;

 private:
  double busiest_level(int layer, std::span<const double> counts, double) const override {
    return load_bound(counts, placement().layer_slots(layer), placement().gpus);
  }
};

}  // namespace

std::unique_ptr<DispatchPolicy> balanced(const Placement& p, const DispatchSettings& settings) {
  return std::make_unique<Balanced>(p, settings);
}

std::unique_ptr<DispatchPolicy> lower_bound(const Placement& p,
                                            const DispatchSettings& settings) {
  return std::make_unique<LowerBound>(p, settings);
}

}  // namespace moesim::dispatch
