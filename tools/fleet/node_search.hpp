// The least number of nodes that is enough, asked as seldom as possible: doubling, then
// bisection. More is taken to be better, but not blindly: a number may be impossible (the
// experts do not divide by its GPUs), which says nothing of the others, and a result counts
// only when the two possible numbers next below it are too few.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>

namespace moesim {

enum class NodeAnswer { enough, too_few, impossible };

class NodeSearch {
 public:
  explicit NodeSearch(int most) : most_(most) {}

  // The number to try next; none when the search has ended.
  [[nodiscard]] std::optional<int> next() const {
    const std::optional<int> enough = found();
    if (!enough) return next_above();
    if (const auto between = next_between(last_too_few_below(*enough), *enough)) return between;
    return next_below(*enough);
  }
  // What came of next().
  void tell(int tried, NodeAnswer answer) { answers_[tried] = answer; }

  // The least that was found to be enough; none if even the most is not.
  [[nodiscard]] std::optional<int> found() const {
    for (const auto& [nodes, answer] : answers_) {
      if (answer == NodeAnswer::enough) return nodes;
    }
    return std::nullopt;
  }

 private:
  static constexpr int kSurelyTooFew = 2;        // possible numbers below a result
  static constexpr std::size_t kMostAsked = 64;  // where powers of two are impossible

  [[nodiscard]] bool asked(int nodes) const { return answers_.contains(nodes); }

  // 1, 2, 4 ... most; then, if some of them were impossible, whatever is left.
  [[nodiscard]] std::optional<int> next_above() const {
    for (int nodes = 1; nodes < most_; nodes *= 2) {
      if (!asked(nodes)) return nodes;
    }
    if (!asked(most_)) return most_;
    const bool any_impossible = std::ranges::any_of(
        answers_, [](const auto& a) { return a.second == NodeAnswer::impossible; });
    for (int nodes = 1; any_impossible && answers_.size() < kMostAsked && nodes < most_;
         ++nodes) {
      if (!asked(nodes)) return nodes;
    }
    return std::nullopt;
  }

  [[nodiscard]] int last_too_few_below(int enough) const {
    int last = 0;
    for (const auto& [nodes, answer] : answers_) {
      if (nodes < enough && answer == NodeAnswer::too_few) last = nodes;
    }
    return last;
  }

  // The one nearest to the middle of those between that have not been asked.
  [[nodiscard]] std::optional<int> next_between(int too_few, int enough) const {
    const int middle = too_few + (enough - too_few) / 2;
    std::optional<int> nearest;
    for (int nodes = too_few + 1; nodes < enough; ++nodes) {
      if (asked(nodes)) continue;
      if (!nearest || std::abs(nodes - middle) < std::abs(*nearest - middle)) nearest = nodes;
    }
    return nearest;
  }

  [[nodiscard]] std::optional<int> next_below(int enough) const {
    int too_few = 0;
    for (int nodes = enough - 1; nodes >= 1 && too_few < kSurelyTooFew; --nodes) {
      if (!asked(nodes)) return nodes;
      if (answers_.at(nodes) == NodeAnswer::too_few) ++too_few;
    }
    return std::nullopt;
  }

  int most_;
  std::map<int, NodeAnswer> answers_;
};

}  // namespace moesim
