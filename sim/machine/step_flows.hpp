// One step of SteppedModel: what the links can give in it, shared out among the flows.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace moesim {

// [links + 1]: the last is none that exists. It never binds, and fills up the paths of flows
// that are shorter than others.
struct StepLinks {
  struct Link {
    double free = 0;          // bytes of work that it can still give in this step
    std::int32_t open = 0;    // flows that were not given anything yet in this step
    std::int32_t active = 0;  // flows with work left

    [[nodiscard]] double share_of(std::int32_t flows) const {
      return flows > 0 && free > 0 ? free / flows : 0;
    }
  };
  std::vector<Link> links;
  std::vector<double> bandwidth;
  std::vector<double> left;         // bytes of work that wait for the link
  std::vector<std::uint32_t> busy;  // those with active flows, ascending
};

class StepFlows {
 public:
  virtual ~StepFlows() = default;

  virtual void clear() = 0;
  // `hops`: `width` link numbers, all different but for the one that is none.
  virtual void add(double work, const std::uint32_t* hops) = 0;
  // Every flow gets a max-min fair share of its links' bytes in these seconds, but no more than
  // it has left. Flows with nothing left are dropped.
  virtual void take_step(StepLinks& links, double seconds) = 0;
};

// `width`: one of PairPaths::kWidths.
std::unique_ptr<StepFlows> make_step_flows(int width);

}  // namespace moesim
