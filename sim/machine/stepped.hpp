// Max-min fair sharing in a few long steps: thirty times cheaper than solving at every end.
//
// A step lasts a fraction of what the busiest link still needs. Within it every flow gets a
// fair share of each link's bytes, but no more than it has left: who ends early leaves the rest
// to the others in the same step, so no link idles while work for it waits. Flows come in when
// the latency of their way has passed, where steps end. That fairness holds
// over the step and not at every instant is the one approximation; it vanishes with the step.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sim/machine/collective.hpp"
#include "sim/machine/step_flows.hpp"

namespace moesim {

class SteppedModel : public CollectiveModel {
 public:
  // `step`: of the time that the busiest link still needs; `longest`: of what it needs in all.
  // Against fluid over 720 skewed all-to-alls of 64 GPUs through spines of 1:1 to 4:1, from 50
  // bytes to 200 KB a pair, the makespan is off by .06 % in the mean, at worst by 1.0 %.
  explicit SteppedModel(double step = 0.6, double longest = 0.12)
      : step_(step), longest_step_(longest) {}

  Outcome time(const Traffic& traffic, LinkLedger* ledger = nullptr,
               Seconds start = Seconds{0}) override;

 private:
  struct Carried {  // by a link, in all
    double work = 0;
    double bytes = 0;
  };
  struct Waiting {  // a flow whose latency has not passed
    double work;
    std::uint32_t pair;  // of ranks
  };
  struct OfClass {  // of a link and a latency
    double work = 0;
    std::int32_t flows = 0;
  };
  struct Busiest {
    std::uint32_t link = 0;
    double seconds = 0;  // at its full bandwidth
  };

  void prepare(const PairPaths& paths, std::size_t links);
  void gather(const Traffic& traffic);
  void enter(std::size_t latency_class);
  Seconds share_links(double whole);  // until the last flow has arrived
  [[nodiscard]] Busiest busiest() const;
  [[nodiscard]] double longest_left() const;  // seconds
  [[nodiscard]] double step_seconds(double left, double whole) const {
    return std::min(step_ * left, longest_step_ * whole);
  }
  [[nodiscard]] Seconds bound() const;

  double step_;
  double longest_step_;
  int width_ = 0;
  std::unique_ptr<StepFlows> flows_;
  StepLinks links_;
  const PairPaths* paths_ = nullptr;           // of the traffic in hand
  std::span<const Seconds> latencies_;         // [classes] ascending
  std::vector<std::vector<Waiting>> waiting_;  // [classes]
  std::vector<Carried> carried_;               // [links]
  std::vector<OfClass> of_class_;              // [links * classes]
  std::vector<std::uint32_t> used_;            // links that carry something
};

}  // namespace moesim
