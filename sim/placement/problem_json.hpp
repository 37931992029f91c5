// Placement problems and placements as JSON: `moesim place --problem FILE.json`, the external
// strategy's pipes, and maps in the formats of SGLang and vLLM.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/placement/options.hpp"
#include "sim/placement/placement.hpp"
#include "sim/placement/problem.hpp"

namespace moesim {

// A problem with what its token views look at.
struct ProblemFile {
  PlacementProblem problem;
  PlacementOptions options;
  std::vector<std::vector<std::uint16_t>> tokens;  // [layers] as tokens * top_k
};

// Keys: weights [layers][experts], slots, gpus; optional groups = 1, nodes = 1, strategy,
// no_same_gpu_duplicates, budget, gpu_speed [gpus], windows [n][layers][experts], tokens
// [layers][tokens][top_k], previous [layers][slots], migration_budget, file, program.
// Throws InputError naming `file`, with line and column of malformed JSON, every fault found.
ProblemFile read_problem(std::string_view text, const std::string& file);

// The same keys again, for the external strategy; weights and windows to the last bit.
std::string problem_json(const PlacementProblem& problem);

// physical_to_logical [layers][slots], replica_count [layers][experts], balancedness (mean over
// layers, even split), lower_bound and busiest_gpu (mean over layers, in tokens), gap (busiest
// / bound - 1), duplicates, migrated_experts, and the first three by layer.
std::string placement_json(const PlacementProblem& problem, const Placement& placement);

// Reads `text`, places, and writes the result: the whole of `moesim place --problem`.
std::string place_problem(std::string_view text, const std::string& file);

// SGLang's format, which other tools read too: {"physical_to_logical_map": [[...]]}.
std::string placement_map_json(const Placement& placement);

// A map in any known format: {"physical_to_logical_map"} (SGLang, vLLM's EPLB),
// {"physical_to_logical"} (ours), a bare [layers][slots], or {"layer_list": [{"device_list":
// [{"device_expert": [...]}]}]} (vLLM's static expert map). Throws InputError naming `file`.
std::vector<std::vector<int>> read_placement_map(std::string_view text,
                                                 const std::string& file);

// The placement that a map gives for the problem; every fault (sizes, missing experts) in one
// InputError whose messages name `source`.
Placement placement_of_map(const PlacementProblem& problem,
                           const std::vector<std::vector<int>>& map, const std::string& source);

}  // namespace moesim
