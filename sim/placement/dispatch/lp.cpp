// The split that makes the busiest GPU (load / speed) as idle as the placement allows, exactly:
//   minimise M  subject to  sum over GPUs of x(e, g) = n_e,  sum over e of x(e, g) <= M
//   speed_g, x(e, g) > 0 only where g holds e.
// For a given M that is a flow from experts to GPUs. M starts at its simplest lower bound;
// while the flow does not fit, the minimum cut names experts X whose GPUs S are full, and M
// rises to (all load bound to S) / (speed of S): discrete Newton on a parametric flow (Radzik
// 1993), a handful of rounds. The flow is kept from round to round. Own augmenting paths
// instead of Boost's: this runs in every layer of every step on some hundred edges, without
// allocating.
#include <algorithm>
#include <numeric>

#include "sim/base/errors.hpp"
#include "sim/placement/dispatch/per_step.hpp"
#include "sim/placement/dispatch/policies.hpp"

namespace moesim::dispatch {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

class Lp final : public PerStep {
 public:
  using PerStep::PerStep;

 protected:
  void assign(int layer, std::span<const double> counts,
              std::vector<double>& slot_tokens) override;

 private:
  void set_up(int layer, std::span<const double> counts, std::vector<double>& slot_tokens);
  double least_level() const;
  double cut_level() const;
  bool reach_slack(std::vector<double>& slot_tokens);
  void push_back_to(int gpu, std::vector<double>& slot_tokens);

  int layer_ = 0;
  double level_ = 0;  // M
  double tolerance_ = 0;
  std::vector<double> bound_;   // [gpus] load of experts with no choice
  std::vector<double> slack_;   // [gpus] M speed - load
  std::vector<double> excess_;  // [experts] tokens not yet sent
  std::vector<double> count_;   // [experts] of those with a choice, else 0
  std::vector<int> open_;       // experts with a choice
  // Breadth-first search: the slot through which each GPU and each expert was reached.
  std::vector<int> gpu_via_;     // [gpus] slot, -1: not reached
  std::vector<int> expert_via_;  // [experts] slot, -1: not reached, -2: a source
  std::vector<int> queue_;       // experts
};

void Lp::set_up(int layer, std::span<const double> counts, std::vector<double>& slot_tokens) {
  layer_ = layer;
  const Placement& p = placement();
  slot_tokens.assign(z(p.layer_slots(layer)), 0.0);
  bound_.assign(z(p.gpus), 0.0);
  count_.assign(counts.size(), 0.0);
  excess_.assign(counts.size(), 0.0);
  open_.clear();
  double total = 0;
  for (int e = 0; e < p.experts; ++e) {
    const auto slots = p.replicas(layer, e);
    const double n = counts[z(e)];
    total += n;
    if (slots.size() == 1) {
      slot_tokens[z(slots[0])] = n;
      bound_[z(p.slot_gpus(layer)[z(slots[0])])] += n;
    } else if (n > 0) {
      count_[z(e)] = excess_[z(e)] = n;
      open_.push_back(e);
    }
  }
  tolerance_ = 1e-10 * total;
  level_ = total / p.gpus;  // mean speed is 1
}

double Lp::least_level() const {
  double level = level_;
  for (std::size_t g = 0; g < bound_.size(); ++g) {
    level = std::max(level, bound_[g] / speed(g));
  }
  return level;
}

// One breadth-first search from the experts with excess to a GPU with slack, and one push along
// the path found. False: no path, the marks show the cut.
bool Lp::reach_slack(std::vector<double>& x) {
  const Placement& p = placement();
  const auto gpus = p.slot_gpus(layer_);
  const auto experts = p.slot_experts(layer_);
  const auto begin = p.gpu_slots(layer_);
  gpu_via_.assign(bound_.size(), -1);
  expert_via_.assign(count_.size(), -1);
  queue_.clear();
  for (const int e : open_) {
    if (excess_[z(e)] <= tolerance_) continue;
    expert_via_[z(e)] = -2;
    queue_.push_back(e);
  }
  for (std::size_t head = 0; head < queue_.size(); ++head) {
    for (const int s : p.replicas(layer_, queue_[head])) {
      const int g = gpus[z(s)];
      if (gpu_via_[z(g)] >= 0) continue;
      gpu_via_[z(g)] = s;
      if (slack_[z(g)] > tolerance_) {
        push_back_to(g, x);
        return true;
      }
      for (int t = begin[z(g)]; t < begin[z(g) + 1]; ++t) {
        const int other = experts[z(t)];
        if (x[z(t)] <= 0 || count_[z(other)] <= 0 || expert_via_[z(other)] != -1) continue;
        expert_via_[z(other)] = t;
        queue_.push_back(other);
      }
    }
  }
  return false;
}

// Moves tokens along the path that ends at `gpu`: each expert on it sends more through the slot
// that reached the next GPU and less through the slot by which it was reached itself.
void Lp::push_back_to(int gpu, std::vector<double>& x) {
  const auto experts = placement().slot_experts(layer_);
  const auto gpus = placement().slot_gpus(layer_);
  double amount = slack_[z(gpu)];
  int g = gpu;
  for (;;) {
    const int e = experts[z(gpu_via_[z(g)])];
    const int via = expert_via_[z(e)];
    if (via == -2) {
      amount = std::min(amount, excess_[z(e)]);
      break;
    }
    amount = std::min(amount, x[z(via)]);
    g = gpus[z(via)];
  }
  slack_[z(gpu)] -= amount;
  g = gpu;
  for (;;) {
    const int s = gpu_via_[z(g)];
    const int e = experts[z(s)];
    x[z(s)] += amount;
    const int via = expert_via_[z(e)];
    if (via == -2) {
      excess_[z(e)] -= amount;
      return;
    }
    x[z(via)] -= amount;
    g = gpus[z(via)];
  }
}

// The level the cut proves necessary: load that has nowhere else to go, over the speed there.
double Lp::cut_level() const {
  double load = 0;
  double speeds = 0;
  for (std::size_t g = 0; g < bound_.size(); ++g) {
    if (gpu_via_[g] < 0) continue;
    load += bound_[g];
    speeds += speed(g);
  }
  for (const int e : open_) {
    if (expert_via_[z(e)] != -1) load += count_[z(e)];
  }
  return load / speeds;
}

void Lp::assign(int layer, std::span<const double> counts, std::vector<double>& x) {
  set_up(layer, counts, x);
  level_ = least_level();
  slack_.resize(bound_.size());
  for (std::size_t g = 0; g < bound_.size(); ++g) slack_[g] = level_ * speed(g) - bound_[g];
  for (;;) {
    while (reach_slack(x)) {
    }
    const bool done =
        std::ranges::all_of(open_, [&](int e) { return excess_[z(e)] <= tolerance_; });
    if (done) break;
    const double higher = std::max(cut_level(), level_ * (1 + 1e-12));
    for (std::size_t g = 0; g < slack_.size(); ++g) slack_[g] += (higher - level_) * speed(g);
    level_ = higher;
  }
  // What the tolerance left: in proportion, so that an expert's slots add up to its count.
  for (const int e : open_) {
    const auto slots = placement().replicas(layer, e);
    const double sent = count_[z(e)] - excess_[z(e)];
    for (const int s : slots) {
      x[z(s)] = sent > 0 ? x[z(s)] * (count_[z(e)] / sent)
                         : count_[z(e)] / static_cast<double>(slots.size());
    }
  }
}

}  // namespace

std::unique_ptr<DispatchPolicy> lp(const Placement& p, const DispatchSettings& settings) {
  return std::make_unique<Lp>(p, settings);
}

}  // namespace moesim::dispatch
