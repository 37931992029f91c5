#include "sim/router/router.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <set>

using namespace moesim;

namespace {

const RouterShape kDeepSeekV3{
    .layers = 58, .experts = 256, .top_k = 8, .expert_groups = 8, .top_groups = 4};

RouterOptions with_skew(const char* skew) {
  RouterOptions options;
  options.skew = skew;
  return options;
}

}  // namespace

TEST_CASE("each layer's counts sum to tokens x top_k and none exceeds the tokens") {
  for (const RouterPreset& preset : router_presets()) {
    Router router(with_skew(preset.name.data()), kDeepSeekV3, 1);
    ExpertCounts counts;
    for (const int tokens : {0, 1, 7, 100, 4096, 1000000}) {
      router.counts({.tokens = tokens}, counts);
      for (int layer = 0; layer < 58; ++layer) {
        const auto* row = counts.data() + layer * 256;
        INFO(preset.name << ", " << tokens << " tokens, layer " << layer);
        CHECK(std::accumulate(row, row + 256, 0LL) == 8LL * tokens);
        CHECK(*std::max_element(row, row + 256) <= tokens);
        CHECK(*std::min_element(row, row + 256) >= 0);
      }
    }
  }
}

TEST_CASE("a sampled token takes top_k different experts from at most top_groups groups") {
  Router router(with_skew("deepseek-v3"), kDeepSeekV3, 1);
  const TokenSample& sample = router.sample(3);
  for (int t = 0; t < sample.tokens; ++t) {
    std::set<int> experts;
    std::set<int> groups;
    for (const int e : sample.of(t)) {
      experts.insert(e);
      groups.insert(e / 32);
    }
    REQUIRE(experts.size() == 8);
    REQUIRE(groups.size() <= 4);
  }
}

TEST_CASE("the same seed gives the same counts, another seed others") {
  Router a(with_skew("deepseek-v3"), kDeepSeekV3, 1);
  Router b(with_skew("deepseek-v3"), kDeepSeekV3, 1);
  Router c(with_skew("deepseek-v3"), kDeepSeekV3, 2);
  ExpertCounts ca;
  ExpertCounts cb;
  ExpertCounts cc;
  a.counts({.tokens = 1000}, ca);
  b.counts({.tokens = 1000}, cb);
  c.counts({.tokens = 1000}, cc);
  CHECK(ca == cb);
  CHECK(ca != cc);
}
