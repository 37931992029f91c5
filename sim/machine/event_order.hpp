// What every machine keeps: timers in the order in which they fire, and the flows of one
// start().
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "sim/machine/machine.hpp"

namespace moesim {

struct TimerEvent {
  Seconds when;
  std::uint64_t order = 0;  // as set: equal times fire in this order
  std::size_t slot = 0;     // of the callback: moving an event moves no std::function
};

// For a heap with the earliest event on top.
struct FiresLater {
  bool operator()(const TimerEvent& a, const TimerEvent& b) const {
    return std::pair(a.when, a.order) > std::pair(b.when, b.order);
  }
};

// The flows of one start(), or the link loads of one carry().
struct FlowBatch {
  std::vector<Flow> flows;
  std::vector<LinkLoad> loads;  // instead of flows
  std::vector<Seconds> finish;
  int running = 0;
  Machine::FlowsDone done;

  [[nodiscard]] double work(std::size_t i) const {
    if (!loads.empty()) return loads[i].work.value;
    return flows[i].src == flows[i].dst ? 0 : flows[i].load().value;
  }
};

}  // namespace moesim
