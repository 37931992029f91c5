// Telling a contradiction between keys: both are named, with their values and places.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/scenario.hpp"

namespace moesim {

class Contradictions {
 public:
  Contradictions(const Scenario& scenario, Diagnostics& diagnostics)
      : scenario_(scenario), diagnostics_(diagnostics) {}

  // `keys` take part; the caret is at the first one that the user's file gave. The message is
  // followed by where each key was set: "(model.top_k: a.toml:3:9; model.experts: default)".
  void error(const std::vector<std::string>& keys, const std::string& message,
             const std::string& expected, const std::string& hint = {});
  void warning(const std::vector<std::string>& keys, const std::string& message,
               const std::string& expected, const std::string& hint = {});

 private:
  [[nodiscard]] Place first_place(const std::vector<std::string>& keys) const;
  [[nodiscard]] std::string where(const std::vector<std::string>& keys) const;

  const Scenario& scenario_;
  Diagnostics& diagnostics_;
};

// The checks of validate.cpp, by topic.
void validate_model(const Scenario& scenario, Contradictions& tell);
// False if the GPUs cannot be divided as asked; the two after it need them to be.
bool validate_layout(const Scenario& scenario, Contradictions& tell);
void settle_redundant_experts(Scenario& scenario, Contradictions& tell);
void validate_network(const Scenario& scenario, Contradictions& tell);
void validate_training(const Scenario& scenario, Contradictions& tell);
void validate_pipeline(const Scenario& scenario, Contradictions& tell);
void validate_memory(const Scenario& scenario, Contradictions& tell);
void validate_traffic(const Scenario& scenario, Contradictions& tell);
void validate_policies(const Scenario& scenario, Contradictions& tell);

}  // namespace moesim
