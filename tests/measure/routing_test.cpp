#include "calibrate/cuda/routing.h"

#include <catch2/catch.hpp>
#include <numeric>
#include <set>

#include "calibrate/measure/operation.hpp"

using moesim::ExchangePattern;
using moesim::expert_counts;
using moesim_cuda::route;
using moesim_cuda::Routing;

namespace {

struct Case {
  std::int64_t tokens, experts, top_k;
  ExchangePattern pattern;
};

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const auto pattern :
       {ExchangePattern::uniform, ExchangePattern::zipf, ExchangePattern::one_hot}) {
    for (const std::int64_t tokens : {1, 4, 37, 256, 1000}) {
      list.push_back({tokens, 8, 2, pattern});
      list.push_back({tokens, 128, 8, pattern});
      list.push_back({tokens, 4, 4, pattern});
    }
  }
  return list;
}

Routing routed(const Case& c, const std::vector<std::int64_t>& counts, bool padded) {
  moesim_op op{};
  op.tokens = c.tokens, op.experts = c.experts, op.top_k = c.top_k;
  op.counts = counts.data();
  return route(op, padded);
}

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace

TEST_CASE("every token reaches top_k experts, all different, in rows that hold it") {
  for (const Case& c : cases()) {
    const auto counts = expert_counts(c.pattern, c.tokens, c.experts, c.top_k);
    for (const bool padded : {false, true}) {
      const Routing r = routed(c, counts, padded);
      for (std::int64_t t = 0; t < c.tokens; ++t) {
        std::set<int> experts;
        for (std::int64_t j = 0; j < c.top_k; ++j) {
          const std::size_t slot = at(t * c.top_k + j);
          experts.insert(r.expert_of_slot[slot]);
          CHECK(r.token_of_row[at(r.rows_of_token[slot])] == t);
        }
        CHECK(static_cast<std::int64_t>(experts.size()) == c.top_k);
      }
      CHECK(std::accumulate(r.weight.begin(), r.weight.end(), 0.0) ==
            Approx(static_cast<double>(c.tokens)));
    }
  }
}

TEST_CASE("groups are the experts with rows, one behind the other; padded, all alike") {
  for (const Case& c : cases()) {
    const auto counts = expert_counts(c.pattern, c.tokens, c.experts, c.top_k);
    const auto most = *std::max_element(counts.begin(), counts.end());
    for (const bool padded : {false, true}) {
      const Routing r = routed(c, counts, padded);
      std::int64_t next = 0;
      for (const auto& group : r.groups) {
        CHECK(group.first_row == next);
        CHECK(group.rows == (padded ? most : counts[at(group.expert)]));
        CHECK(group.rows > 0);
        next += group.rows;
      }
      CHECK(next == static_cast<std::int64_t>(r.token_of_row.size()));
      CHECK(next == (padded ? most * c.experts : c.tokens * c.top_k));
    }
  }
}
