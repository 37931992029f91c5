#include "calibrate/expert_kernels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "calibrate/engine_rows.hpp"
#include "calibrate/fit_experts.hpp"

namespace moesim {

namespace {

// TensorRT-LLM has generated kernels (TRTLLM-Gen), which its own table does not time;
// FlashInfer carries the same ones into SGLang, whose table does.
std::vector<ExpertRow> generated_kernels(const std::vector<ExpertRow>& rows, Dtype dtype,
                                         const Profile& profile) {
  std::vector<ExpertRow> generated;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(generated), [&](const auto& row) {
    return profile.engine == "trtllm" && row.key.engine == "sglang" && row.key.dtype == dtype &&
           row.gated && row.key.kernel.find("flashinfer_trtllm") != std::string::npos;
  });
  return generated;
}

// In fp4 the generated kernels are what TensorRT-LLM runs, so they come first. CUTLASS, which
// its table has (`own`), is kept for comparison, without the lanes of expert parallelism.
void fit_generated_fp4(const std::vector<ExpertRow>& rows,
                       const std::vector<TunedBlocks>& tuned, const Device& device,
                       Profile& profile, std::vector<ExpertRow>& own) {
  const auto generated = generated_kernels(rows, Dtype::fp4, profile);
  if (generated.empty()) return;
  profile.experts = fit_expert_sections(generated, tuned, device);
  std::erase_if(own, [](const ExpertRow& row) {
    return row.key.dtype == Dtype::fp4 && row.gated && row.parallel > 1;
  });
  profile.notes.push_back(
      "fp4 experts by the generated kernels, as SGLang's table times them through "
      "FlashInfer");
}

// In these formats TensorRT-LLM runs both.
void fit_generated_beside(const std::vector<ExpertRow>& rows,
                          const std::vector<TunedBlocks>& tuned, const Device& device,
                          Profile& profile) {
  for (const Dtype dtype : {Dtype::fp8_block, Dtype::w4a8}) {
    const auto beside = generated_kernels(rows, dtype, profile);
    if (beside.empty()) continue;
    append(profile.experts, fit_expert_sections(beside, tuned, device));
    profile.notes.push_back(
        fmt::format("{} experts by the generated kernels beside the engine's own, as SGLang's "
                    "table times them through FlashInfer: calibration.expert_kernel = "
                    "\"flashinfer_trtllm\"",
                    to_text(dtype)));
  }
}

// Curves are made of even loads; an engine whose rows have none borrows another's.
std::vector<ExpertSection> own_or_borrowed(const std::vector<ExpertRow>& own,
                                           const std::vector<ExpertRow>& rows,
                                           const std::vector<TunedBlocks>& tuned,
                                           const Device& device, Profile& profile) {
  auto sections = fit_expert_sections(own, tuned, device);
  if (!sections.empty() || own.empty()) return sections;
  auto others = rows;
  std::erase_if(others, [&](const ExpertRow& row) { return row.key.engine == profile.engine; });
  return fit_expert_sections(choose_engine(others, "expert kernels", profile), tuned, device);
}

// Says which measured shapes are priced by others.
void note_untuned(Profile& profile) {
  for (const ExpertSection& section : profile.experts) {
    std::vector<std::string> shapes;
    int lanes = 0;
    for (const ExpertShapeCurve& c : section.curves) {
      if (c.standing != Standing::untuned) continue;
      if (c.parallel > 1) {
        ++lanes;
      } else {
        shapes.push_back(
            fmt::format("{} experts of {} x {}", c.experts, c.hidden, c.intermediate));
      }
    }
    if (shapes.empty() && lanes == 0) continue;
    std::string what = fmt::format("{}", fmt::join(shapes, ", "));
    if (lanes > 0) {
      what +=
          fmt::format("{}{} lanes of expert parallelism", what.empty() ? "" : " and ", lanes);
    }
    profile.notes.push_back(fmt::format(
        "{} {}: priced by other shapes, as their benchmark probably ran them untuned: {}",
        section.key.kernel, to_text(section.key.dtype), what));
  }
}

}  // namespace

void fit_expert_kernels(const std::vector<ExpertRow>& rows,
                        const std::vector<TunedBlocks>& tuned, const Device& device,
                        Profile& profile) {
  auto own = choose_engine(rows, "expert kernels", profile);
  fit_generated_fp4(rows, tuned, device, profile, own);
  append(profile.experts, own_or_borrowed(own, rows, tuned, device, profile));
  fit_generated_beside(rows, tuned, device, profile);
  note_untuned(profile);
}

}  // namespace moesim
