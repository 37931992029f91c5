#include "calibrate/shared_tactics.hpp"

#include <fmt/format.h>

#include <map>
#include <string>

namespace moesim {

namespace {

// The engine's experts that have tactics, as its benchmark names them.
constexpr std::string_view kTuned = "moe_torch_flow";

}  // namespace

ExpertCase case_of(const ExpertShapeCurve& curve) {
  return {curve.hidden, curve.intermediate, curve.experts,
          curve.top_k,  curve.slices,       curve.parallel};
}

std::set<ExpertCase> share_tactics(const std::vector<const ExpertRow*>& rows) {
  std::map<std::string, std::set<ExpertCase>> files;  // by name, without its ending
  for (const ExpertRow* row : rows) {
    if (row->key.engine != "trtllm" || !row->key.kernel.starts_with(kTuned) ||
        row->key.dtype == Dtype::fp8_block) {
      continue;
    }
    const ExpertShapeCurve shape = shape_of(*row);
    files[fmt::format("{}_{}_{}", shape.hidden, shape.intermediate, shape.experts)].insert(
        case_of(shape));
  }
  std::set<ExpertCase> shared;
  for (auto file = files.begin(); file != files.end(); ++file) {
    // The benchmark takes any file whose name begins like its own: for 16 experts that of 160.
    std::size_t users = 0;
    for (auto other = file; other != files.end() && other->first.starts_with(file->first);
         ++other) {
      users += other->second.size();
    }
    if (users > 1) shared.insert(file->second.begin(), file->second.end());
  }
  return shared;
}

}  // namespace moesim
