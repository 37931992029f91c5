// Laws of instances that are switched off and on.
#include <catch2/catch.hpp>

#include "tests/physics/runs.hpp"

using namespace moesim;

namespace {

const std::vector<std::string> kTwoInstances{"cluster.nodes=2", "serving.instances=2",
                                             "requests=400", "traffic.arrivals.rate=100"};

std::unique_ptr<Walk> run_scaled(const std::vector<std::string>& overrides,
                                 const std::vector<ScaleOptions>& scales) {
  Scenario scenario = small_scenario(overrides);
  scenario.scales = scales;
  return run(scenario);
}

}  // namespace

TEST_CASE("an instance that is switched off ends what it has; on again, it warms up first") {
  const Seconds off{1};
  const Seconds on{2};
  const Seconds warm_up{0.5};
  const auto walk =
      run_scaled(kTwoInstances, {{.at = off, .instance = 1, .to = "down"},
                                 {.at = on, .instance = 1, .to = "up", .warm_up = warm_up}});
  CHECK(count_of(*walk, RequestState::finished) == 400);
  check_causes(*walk);
  int before = 0;
  int after = 0;
  for (const RequestRecord& r : walk->simulation().recorder().records()) {
    const bool away = r.arrival > off && r.arrival < on + warm_up;
    if (away) CHECK(r.instance == 0);
    before += r.instance == 1 && r.arrival <= off ? 1 : 0;
    after += r.instance == 1 && r.arrival >= on + warm_up ? 1 : 0;
  }
  CHECK(before > 0);
  CHECK(after > 0);
  CHECK(walk->simulation().off_time(1).value > 0);
  CHECK(walk->simulation().off_time(1) < on - off);
  CHECK(walk->simulation().off_time(0).value == 0);
  const Seconds all = walk->simulation().duration();
  CHECK(walk->result("test").cost.gpu_hours * 3600 ==
        Approx(16 * all.value - 8 * walk->simulation().off_time(1).value));
}

TEST_CASE("with every instance off requests wait for one that comes, or fail where none will") {
  const ScaleOptions down{.at = Seconds{1}, .instance = 0, .to = "down"};
  const ScaleOptions up{.at = Seconds{3}, .instance = 0, .to = "up", .warm_up = Seconds{1}};
  const auto comes = run_scaled({}, {down, up});
  CHECK(count_of(*comes, RequestState::finished) == 200);
  const auto never = run_scaled({}, {down});
  const int failed = count_of(*never, RequestState::failed);
  CHECK(failed > 0);
  CHECK(count_of(*never, RequestState::finished) + failed == 200);
}

TEST_CASE("pools may shrink: a decode instance that is switched off loses no request") {
  const auto walk =
      run_scaled({"cluster.nodes=3", "serving.mode=disaggregated", "serving.prefill.nodes=1",
                  "serving.decode.instances=2", "traffic.arrivals.rate=100"},
                 {{.at = Seconds{0.5}, .instance = 2, .to = "down"}});
  CHECK(count_of(*walk, RequestState::finished) == 200);
  check_causes(*walk);
}
