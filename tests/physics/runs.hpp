// Small scenarios, run whole in this process on the analytic machine.
#pragma once

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

#include "tools/walk/walk.hpp"

namespace moesim {

// Mixtral on one node unless the overrides say otherwise; short enough for hundreds of runs.
inline const char* kSmall = R"(
name = "small"
requests = 200
[model]
preset = "mixtral-8x7b"
[cluster]
preset = "hgx-h200"
nodes = 1
[calibration]
profile = "h200-sxm/sglang"
[placement]
strategy = "linear"
[router]
skew = "mixtral"
[serving]
warmup = 0
step_overhead = "1 ms"   # no profile's front end: the laws are those of the queue itself
[traffic]
arrivals = { process = "poisson", rate = "20 req/s" }
input_tokens = { distribution = "fixed", mean = 256 }
output_tokens = { distribution = "fixed", mean = 32 }
)";

inline Scenario small_scenario(const std::vector<std::string>& overrides = {}) {
  Diagnostics diagnostics;
  Scenario scenario = read_scenario_text(kSmall, "small.toml", overrides, diagnostics);
  diagnostics.throw_if_errors();
  return scenario;
}

inline std::unique_ptr<Walk> run(const Scenario& scenario) {
  auto walk = std::make_unique<Walk>(
      scenario, [](Cluster& cluster) { return make_analytic_machine(cluster); });
  walk->run([](double, Seconds) { return true; });
  return walk;
}

inline std::unique_ptr<Walk> run_small(const std::vector<std::string>& overrides = {}) {
  return run(small_scenario(overrides));
}

inline std::unique_ptr<Walk> run_with_fault(const std::vector<std::string>& overrides,
                                            const FaultOptions& fault) {
  Scenario scenario = small_scenario(overrides);
  scenario.faults.push_back(fault);
  return run(scenario);
}

inline int count_of(const Walk& walk, RequestState state) {
  int count = 0;
  for (const RequestRecord& r : walk.simulation().recorder().records()) {
    count += r.state == state;
  }
  return count;
}

// The causes of every finished request add up to its latency.
inline void check_causes(const Walk& walk) {
  const Simulation& simulation = walk.simulation();
  const auto& records = simulation.recorder().records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].state != RequestState::finished) continue;
    const Seconds latency = records[i].e2el();
    CHECK(simulation.blame().until_end(RequestId{i}, latency).sum() ==
          Approx(latency.value).epsilon(1e-9));
  }
}

inline double mean_tpot(const Walk& walk) {
  return walk.result("test").summary.find(MetricId::tpot)->mean;
}

}  // namespace moesim
