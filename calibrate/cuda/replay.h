// How many runs of an operation one timed replay holds.
#pragma once

#include <algorithm>
#include <cmath>

namespace moesim_cuda {

// What lies between two replays, one or two microseconds, is counted with them: below 1 % of
// this.
constexpr double kShortestReplay = 5e-4;  // seconds
// No operation is repeated for longer, only to reach all its copies.
constexpr double kLongestReplay = 2e-2;
constexpr int kMostRuns = 4096;

// Of an operation that takes `once` seconds, with `copies` of its inputs: as many as last the
// shortest replay and reach every copy, so that the next replay finds none in the cache.
inline int runs_per_replay(double once, int copies) {
  const double shortest = std::ceil(kShortestReplay / once);
  const double longest = std::max(shortest, std::floor(kLongestReplay / once));
  const double wanted = std::max<double>(shortest, copies);
  return static_cast<int>(std::clamp<double>(std::min(wanted, longest), 1, kMostRuns));
}

}  // namespace moesim_cuda
