// What the tests of scenarios share.
#pragma once

#include <string>
#include <vector>

#include "sim/scenario/scenario.hpp"
#include "sim/scenario/validate.hpp"

namespace moesim::tests {

// The least that makes a scenario.
inline const std::string kStart =
    "[model]\npreset = \"deepseek-v3\"\n[cluster]\npreset = \"hgx-h200\"\nnodes = 8\n";

inline const std::string kScenarios = MOESIM_SOURCE "/scenarios/";

// All that is told of a text: by the reader, and if it has no complaint, by validation.
inline std::vector<Diagnostic> faults_of(const std::string& text,
                                         const std::vector<std::string>& set = {}) {
  Diagnostics diagnostics;
  Scenario scenario = read_scenario_text(text, "a.toml", set, diagnostics);
  if (!diagnostics.has_errors()) validate(scenario, diagnostics);
  return diagnostics.all();
}

// Throws InputError with every fault.
inline Scenario read_well(const std::string& text, const std::vector<std::string>& set = {}) {
  Diagnostics diagnostics;
  Scenario scenario = read_scenario_text(text, "a.toml", set, diagnostics);
  if (!diagnostics.has_errors()) validate(scenario, diagnostics);
  diagnostics.throw_if_errors();
  return scenario;
}

inline Scenario read_file_well(const std::string& path,
                               const std::vector<std::string>& set = {}) {
  Diagnostics diagnostics;
  Scenario scenario = read_scenario(path, set, diagnostics);
  if (!diagnostics.has_errors()) validate(scenario, diagnostics);
  diagnostics.throw_if_errors();
  return scenario;
}

// Every scenario file that is shipped, presets left out, sorted.
std::vector<std::string> shipped_scenarios();

}  // namespace moesim::tests
