// A map that another program wrote: SGLang, vLLM, or an earlier run (see read_placement_map).
#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"
#include "sim/placement/problem_json.hpp"
#include "sim/placement/strategies/strategies.hpp"

namespace moesim::strategies {

Placement file(const PlacementProblem& p, const PlacementOptions& options) {
  if (options.file.empty()) {
    throw InputError("strategy 'file' has no file", "placement.file");
  }
  return placement_of_map(p, read_placement_map(read_file(options.file), options.file),
                          options.file);
}

}  // namespace moesim::strategies
