// Small scenarios, run whole in this process on the analytic machine.
#pragma once

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

inline std::unique_ptr<Walk> run_small(const std::vector<std::string>& overrides = {}) {
  auto walk = std::make_unique<Walk>(small_scenario(overrides), [](Cluster& cluster) {
    return make_analytic_machine(cluster);
  });
  walk->run([](double, Seconds) { return true; });
  return walk;
}

}  // namespace moesim
