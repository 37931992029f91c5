// Laws of requests that have to leave a batch, or never get into one.
#include <catch2/catch.hpp>

#include "tests/physics/runs.hpp"

using namespace moesim;

TEST_CASE("preempted requests finish, computed again or swapped, and the causes add up") {
  // KV for few requests of a rank, and a host that has room for all, for some, for none.
  for (const char* preemption : {"swap", "recompute"}) {
    for (const char* space : {"1 TB", "30 MB"}) {
      const auto walk = run_small(
          {"serving.tp=8", "cluster.gpu.memory=141 GB", "serving.memory_fraction=0.096",
           "traffic.arrivals.rate=2000", "traffic.output_tokens.mean=128",
           "serving.kv_block=16", std::string("serving.preemption=") + preemption,
           std::string("serving.swap_space=") + space});
      INFO(preemption << ", " << space);
      const Result result = walk->result("test");
      CHECK(result.summary.requests.finished == 200);
      CHECK(result.summary.requests.preemptions > 0);
      CHECK(walk->simulation().recorder().window_output_tokens() == 200 * 128);
      CHECK((walk->simulation().instance(0).swapped_tokens() > 0) ==
            (std::string(preemption) == "swap"));
      check_causes(*walk);
    }
  }
}

TEST_CASE("requests that wait beyond the deadline are shed, and counted") {
  const std::vector<std::string> busy{"serving.tp=8", "serving.max_batch=2",
                                      "traffic.arrivals.rate=200"};
  auto options = busy;
  options.emplace_back("serving.queue_deadline=500 ms");
  const auto walk = run_small(options);
  CHECK(count_of(*walk, RequestState::shed) > 0);
  CHECK(count_of(*walk, RequestState::shed) + count_of(*walk, RequestState::finished) == 200);
  CHECK(count_of(*run_small(busy), RequestState::shed) == 0);
}
