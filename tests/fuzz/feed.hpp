// One text through everything that reads scenarios: it may be refused, it may not crash, and
// what is accepted reads back from its own resolved.toml.
#pragma once

#include <string>
#include <string_view>

#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/validate.hpp"

namespace moesim::tests {

// True if the text is a scenario without contradictions.
inline bool feed(std::string_view text, const std::vector<std::string>& set = {}) {
  Diagnostics diagnostics;
  Scenario scenario = read_scenario_text(text, "fuzz.toml", set, diagnostics);
  if (!diagnostics.has_errors()) validate(scenario, diagnostics);
  for (const Diagnostic& d : diagnostics.all()) {
    MOESIM_LAW(!d.message.empty(), "a fault says what it is");
    MOESIM_LAW(!render(d, Color::off).empty(), "a fault can be shown");
  }
  if (diagnostics.has_errors()) return false;
  Diagnostics again;
  const Scenario back = read_scenario_text(resolved_toml(scenario), "resolved.toml", {}, again);
  MOESIM_LAW(!again.has_errors() && back == scenario,
             "resolved.toml reads back to its scenario");
  return true;
}

}  // namespace moesim::tests
