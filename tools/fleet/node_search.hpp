// The least number that is enough, asked as seldom as possible: doubling, then bisection. What
// is enough is taken to stay enough when there is more.
#pragma once

#include <algorithm>
#include <optional>

namespace moesim {

class NodeSearch {
 public:
  explicit NodeSearch(int most) : most_(most) {}

  // The number to try next; none when the search has ended.
  [[nodiscard]] std::optional<int> next() const {
    if (!enough_) {
      if (too_few_ >= most_) return std::nullopt;
      return std::min(most_, std::max(1, 2 * too_few_));
    }
    if (*enough_ - too_few_ <= 1) return std::nullopt;
    return too_few_ + (*enough_ - too_few_) / 2;
  }
  // What came of next().
  void tell(int tried, bool is_enough) {
    if (is_enough) {
      enough_ = tried;
    } else {
      too_few_ = tried;
    }
  }
  // The least that was found to be enough; none if even the most is not.
  [[nodiscard]] std::optional<int> found() const { return enough_; }

 private:
  int most_;
  int too_few_ = 0;
  std::optional<int> enough_;
};

}  // namespace moesim
