#include "sim/serving/balancing/balancing.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace moesim;

TEST_CASE("every policy picks an available candidate") {
  Stream s(5, "test");
  for (const auto& entry : balancing_policies()) {
    BalanceState state;
    for (int round = 0; round < 500; ++round) {
      std::vector<Candidate> candidates(1 + s.below(9));
      for (auto& c : candidates) {
        c = {static_cast<std::int64_t>(s.below(100)), static_cast<int>(s.below(9)),
             s.below(3) != 0};
      }
      candidates[s.below(candidates.size())].available = true;
      const BalanceKey key{s.below(4), s.below(100)};
      const std::size_t pick = entry.make(candidates, key, state);
      REQUIRE(pick < candidates.size());
      REQUIRE(candidates[pick].available);
    }
  }
}

TEST_CASE("round robin gives equal shares, least loaded takes the lightest") {
  std::vector<Candidate> candidates(4);
  BalanceState state;
  std::vector<int> picks(4);
  const auto round_robin = find_entry(balancing_policies(), "round_robin", "policy").make;
  for (int i = 0; i < 400; ++i) ++picks[round_robin(candidates, {}, state)];
  CHECK(picks == std::vector<int>{100, 100, 100, 100});

  candidates[2].outstanding = -1;
  CHECK(
      find_entry(balancing_policies(), "least_loaded", "policy").make(candidates, {}, state) ==
      2);
}

TEST_CASE("affinity keeps a key on its candidate") {
  std::vector<Candidate> candidates(7);
  BalanceState state;
  const auto affinity = find_entry(balancing_policies(), "domain_affinity", "policy").make;
  const std::size_t first = affinity(candidates, {.domain = 42}, state);
  for (auto& c : candidates) c.outstanding += 5;
  CHECK(affinity(candidates, {.domain = 42}, state) == first);
  candidates[first].available = false;
  CHECK(affinity(candidates, {.domain = 42}, state) != first);
}
