// What the attention ranks of an instance compute by themselves, each on GPUs of its own kind.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "sim/serving/layer_costs.hpp"

namespace moesim {

class RankCosts {
 public:
  // `of_rank` [ranks]: for every kind of GPU that the rank has. They outlive this.
  explicit RankCosts(std::vector<std::vector<const LayerCosts*>> of_rank)
      : of_rank_(std::move(of_rank)) {}

  // What every kind says alike: the model's layers.
  [[nodiscard]] const LayerCosts& any() const { return *of_rank_.front().front(); }
  // The time of a rank, which waits for its slowest GPU; `time_of` takes LayerCosts.
  template <class TimeOf>
  [[nodiscard]] Seconds of(std::size_t rank, TimeOf time_of) const {
    Seconds most{0};
    for (const LayerCosts* costs : of_rank_[rank]) most = std::max(most, time_of(*costs));
    return most;
  }
  // Of the slowest rank.
  template <class TimeOf>
  [[nodiscard]] Seconds slowest(TimeOf time_of) const {
    Seconds most{0};
    for (std::size_t d = 0; d < of_rank_.size(); ++d) most = std::max(most, of(d, time_of));
    return most;
  }

 private:
  std::vector<std::vector<const LayerCosts*>> of_rank_;
};

}  // namespace moesim
