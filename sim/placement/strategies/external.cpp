// A program of the user's: the problem as JSON on its stdin, the placement as JSON on its
// stdout (any format of read_placement_map). It runs in /bin/sh and must answer within a minute
// (program_limit); what it answers is checked like a file.
#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/placement/problem_json.hpp"
#include "sim/placement/process.hpp"
#include "sim/placement/strategies/strategies.hpp"

namespace moesim::strategies {

Placement external(const PlacementProblem& p, const PlacementOptions& options) {
  if (options.program.empty()) {
    throw InputError("strategy 'external' has no program", "placement.program");
  }
  const std::string source = "the answer of '" + options.program + "'";
  const std::string answer =
      run_program(options.program, problem_json(p), options.program_limit);
  return placement_of_map(p, read_placement_map(answer, source), source);
}

}  // namespace moesim::strategies
