// The counts loop: no memory is taken, and other threads change nothing.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <new>
#include <thread>
#include <vector>

#include "sim/router/router_watch.hpp"

namespace {
std::atomic<long> taken{0};
}  // namespace

// Counts every allocation of this test program.
void* operator new(std::size_t size) {
  ++taken;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

using namespace moesim;

namespace {

const RouterShape kDeepSeekV3{
    .layers = 8, .experts = 256, .top_k = 8, .expert_groups = 8, .top_groups = 4};

std::vector<ExpertCounts> steps_of(std::uint64_t seed) {
  Router router({}, kDeepSeekV3, seed);
  std::vector<ExpertCounts> steps(20);
  for (std::size_t s = 0; s < steps.size(); ++s) {
    router.advance(Seconds{static_cast<double>(s)});
    router.counts({.tokens = 64 << (s % 8)}, steps[s]);
  }
  return steps;
}

}  // namespace

TEST_CASE("drawing counts takes no memory once the first step has been drawn") {
  RouterOptions with_limit;
  with_limit.capacity_factor = 1.2;
  with_limit.overflow = "reroute";
  RouterOptions with_dropout;
  with_dropout.expert_dropout = 0.1;
  for (const RouterOptions& options : {RouterOptions{}, with_limit, with_dropout}) {
    Router router(options, kDeepSeekV3, 1, {"code", "law"});
    RouterWatch watch(router);
    ExpertCounts counts;
    const std::vector<double> share{2, 1};
    const auto step = [&](int tokens) {
      const StepMix mix{.tokens = tokens, .share = share, .requests = 30};
      router.counts(mix, counts);
      watch.step(Seconds{0}, mix, counts);
      router.limit(tokens, counts);
    };
    step(512);
    const long before = taken;
    for (const int tokens : {0, 1, 64, 512, 8192, 100000}) step(tokens);
    CHECK(taken - before == 0);
  }
}

TEST_CASE("the same seed gives the same counts on any number of threads") {
  const auto alone = steps_of(7);
  std::vector<std::vector<ExpertCounts>> together(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < together.size(); ++i) {
    threads.emplace_back([&, i] { together[i] = steps_of(i % 2 == 0 ? 7 : 8); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(together[0] == alone);
  CHECK(together[2] == alone);
  CHECK(together[1] == together[3]);
  CHECK(together[1] != alone);
}
