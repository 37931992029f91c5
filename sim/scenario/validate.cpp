#include "sim/scenario/validate.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/scenario/contradictions.hpp"

namespace moesim {

Place Contradictions::first_place(const std::vector<std::string>& keys) const {
  for (const std::string& key : keys) {
    if (scenario_.places.has(key)) return scenario_.places.of(key);
  }
  return keys.empty() ? Place{} : scenario_.places.of(keys.front());
}

std::string Contradictions::where(const std::vector<std::string>& keys) const {
  std::vector<std::string> parts;
  for (const std::string& key : keys) {
    const Place place = scenario_.places.of(key);
    parts.push_back(scenario_.places.has(key)
                        ? fmt::format("{}: {}:{}:{}", key, place.file, place.line, place.column)
                        : fmt::format("{}: default", key));
  }
  return fmt::format(" ({})", fmt::join(parts, "; "));
}

void Contradictions::error(const std::vector<std::string>& keys, const std::string& message,
                           const std::string& expected, const std::string& hint) {
  diagnostics_.error(first_place(keys), message + where(keys), expected, hint);
}

void Contradictions::warning(const std::vector<std::string>& keys, const std::string& message,
                             const std::string& expected, const std::string& hint) {
  diagnostics_.warning(first_place(keys), message + where(keys), expected, hint);
}

void validate(Scenario& scenario, Diagnostics& diagnostics) {
  Contradictions tell(scenario, diagnostics);
  validate_model(scenario, tell);
  validate_network(scenario, tell);
  validate_training(scenario, tell);
  const bool trains = scenario.serving.mode == ServingMode::training;
  if (!trains && validate_layout(scenario, tell)) {
    validate_pipeline(scenario, tell);
    settle_redundant_experts(scenario, tell);
    validate_memory(scenario, tell);
  }
  validate_traffic(scenario, tell);
  validate_policies(scenario, tell);
}

}  // namespace moesim
