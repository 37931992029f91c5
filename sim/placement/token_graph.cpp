#include "sim/placement/token_graph.hpp"

#include <algorithm>
#include <numeric>

namespace moesim {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

}  // namespace

TokenGraph::TokenGraph(const TokenView& sample, int experts, int most)
    : experts_(experts), top_k_(z(sample.top_k)), begin_(z(experts) + 1, 0) {
  const std::size_t all = sample.tokens();
  tokens_ = static_cast<int>(std::min<std::size_t>(all, z(most)));
  for (std::size_t i = 0; i < z(tokens_); ++i) {
    for (const std::uint16_t e : sample.of(i * all / z(tokens_))) {
      pins_.push_back(e);
      ++begin_[e + 1u];
    }
  }
  std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
  users_.resize(pins_.size());
  std::vector<int> next(begin_.begin(), begin_.end() - 1);
  for (std::size_t i = 0; i < pins_.size(); ++i) {
    users_[z(next[z(pins_[i])]++)] = static_cast<int>(i / top_k_);
  }
}

std::span<const int> TokenGraph::experts_of(int token) const {
  return std::span(pins_).subspan(z(token) * top_k_, top_k_);
}

std::span<const int> TokenGraph::tokens_of(int expert) const {
  return std::span(users_).subspan(z(begin_[z(expert)]),
                                   z(begin_[z(expert) + 1] - begin_[z(expert)]));
}

namespace {

// The state of one division: what each token has on each node and what each move would save.
class Division {
 public:
  Division(const TokenGraph& graph, std::span<const double> load, const NodeLimits& limits,
           std::vector<int>& node_of)
      : graph_(graph),
        load_(load),
        limits_(limits),
        node_of_(node_of),
        nodes_(limits.slots.size()),
        here_(z(graph.tokens()) * nodes_, 0),
        node_load_(nodes_, 0.0),
        node_size_(nodes_, 0) {
    for (int e = 0; e < graph.experts(); ++e) {
      node_load_[z(node_of[z(e)])] += load[z(e)];
      ++node_size_[z(node_of[z(e)])];
      for (const int t : graph.tokens_of(e)) ++here_[z(t) * nodes_ + z(node_of[z(e)])];
    }
    gain_.resize(z(graph.experts()) * nodes_);
    for (int e = 0; e < graph.experts(); ++e) find_gains(e);
  }

  // One pass; the token-node pairs it saved.
  int pass() {
    locked_.assign(z(graph_.experts()), 0);
    const std::vector<int> before = node_of_;
    std::vector<std::pair<int, int>> moves;  // expert, where it was
    int saved = 0;
    int best = 0;
    std::size_t best_length = 0;
    bool was_feasible = feasible();
    for (;;) {
      const auto [expert, to] = best_move();
      if (expert < 0) break;
      saved += gain_[z(expert) * nodes_ + z(to)];
      moves.emplace_back(expert, node_of_[z(expert)]);
      locked_[z(expert)] = 1;
      move(expert, to);
      const bool ok = feasible();
      if (ok && (saved > best || !was_feasible)) {
        best = saved;
        best_length = moves.size();
        was_feasible = true;
      }
      if (moves.size() > best_length + 64) break;  // a long way down: enough
    }
    while (moves.size() > best_length) {
      move(moves.back().first, moves.back().second);
      moves.pop_back();
    }
    return best;
  }

 private:
  [[nodiscard]] bool feasible() const {
    for (std::size_t n = 0; n < nodes_; ++n) {
      if (node_size_[n] > limits_.slots[n] || node_load_[n] > limits_.load[n] * (1 + 1e-9)) {
        return false;
      }
    }
    return true;
  }

  // One expert too many is let in on the way to a swap, so that full nodes can exchange.
  [[nodiscard]] bool may_take(std::size_t node, double load) const {
    return node_size_[node] <= limits_.slots[node] &&
           node_load_[node] + load <= limits_.load[node] * 1.05;
  }

  [[nodiscard]] std::pair<int, int> best_move() const {
    std::pair<int, int> best{-1, -1};
    int best_gain = 0;
    for (int e = 0; e < graph_.experts(); ++e) {
      if (locked_[z(e)]) continue;
      for (std::size_t n = 0; n < nodes_; ++n) {
        if (n == z(node_of_[z(e)]) || !may_take(n, load_[z(e)])) continue;
        const int gain = gain_[z(e) * nodes_ + n];
        if (best.first >= 0 && gain <= best_gain) continue;
        best = {e, static_cast<int>(n)};
        best_gain = gain;
      }
    }
    return best;
  }

  void find_gains(int e) {
    int* gain = &gain_[z(e) * nodes_];
    std::fill(gain, gain + nodes_, 0);
    const std::size_t from = z(node_of_[z(e)]);
    int alone = 0;
    for (const int t : graph_.tokens_of(e)) {
      const std::uint16_t* here = &here_[z(t) * nodes_];
      alone += here[from] == 1;
      for (std::size_t n = 0; n < nodes_; ++n) gain[n] -= here[n] == 0;
    }
    for (std::size_t n = 0; n < nodes_; ++n) gain[n] += alone;
    gain[from] = 0;
  }

  void move(int e, int to) {
    const int from = node_of_[z(e)];
    for (const int t : graph_.tokens_of(e)) {
      std::uint16_t& left = here_[z(t) * nodes_ + z(from)];
      std::uint16_t& joined = here_[z(t) * nodes_ + z(to)];
      for (const int f : graph_.experts_of(t)) {
        if (f == e) continue;
        int* gain = &gain_[z(f) * nodes_];
        const int at = node_of_[z(f)];
        if (left == 1 && at != from) gain[z(from)] -= 1;  // f could join e there, no more
        if (left == 2 && at == from) add_everywhere(gain, from, 1);  // f stays there alone
        if (joined == 0 && at != to) gain[z(to)] += 1;
        if (joined == 1 && at == to) add_everywhere(gain, to, -1);  // f is no longer alone
      }
      --left;
      ++joined;
    }
    node_load_[z(from)] -= load_[z(e)];
    node_load_[z(to)] += load_[z(e)];
    --node_size_[z(from)];
    ++node_size_[z(to)];
    node_of_[z(e)] = to;
    find_gains(e);
  }

  void add_everywhere(int* gain, int but, int amount) const {
    for (std::size_t n = 0; n < nodes_; ++n) {
      if (n != z(but)) gain[n] += amount;
    }
  }

  const TokenGraph& graph_;
  std::span<const double> load_;
  const NodeLimits& limits_;
  std::vector<int>& node_of_;
  std::size_t nodes_;
  std::vector<std::uint16_t> here_;  // [tokens * nodes] experts of a token on a node
  std::vector<double> node_load_;
  std::vector<int> node_size_;
  std::vector<int> gain_;     // [experts * nodes] pairs saved by moving there
  std::vector<char> locked_;  // [experts]
};

}  // namespace

void refine_division(const TokenGraph& graph, std::span<const double> load,
                     const NodeLimits& limits, std::vector<int>& node_of) {
  if (limits.slots.size() < 2 || graph.tokens() == 0) return;
  Division division(graph, load, limits, node_of);
  constexpr int kMostPasses = 8;
  for (int i = 0; i < kMostPasses && division.pass() > 0; ++i) {
  }
}

}  // namespace moesim
