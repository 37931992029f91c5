// The cost model's frame: which GPU it speaks of, and the small memory-bound kernels.
#include "calibrate/cost_model.hpp"

#include <fmt/format.h>

#include "calibrate/profile.hpp"
#include "calibrate/section_choice.hpp"
#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"

namespace moesim {

namespace {

// Median error of moving tables between sister GPUs by the roofline ratio.
constexpr double kTransferError = 0.05;
constexpr double kGenerationError = 0.25;

Device device_of(const Profile& profile) {
  const auto device = find_device(profile.gpu);
  MOESIM_LAW(device.has_value(), "a profile's GPU is known");
  return *device;
}

Device wanted_device(std::string_view gpu) {
  if (const auto device = find_device(gpu)) return *device;
  std::string known;
  for (const Device& device : devices()) {
    known += (known.empty() ? "" : ", ") + std::string(device.name);
  }
  throw InputError(fmt::format("no datasheet is known for GPU '{}'", gpu), "one of " + known);
}

}  // namespace

CostModel::CostModel(std::shared_ptr<const Profile> profile)
    : profile_(std::move(profile)), measured_(device_of(*profile_)), target_(measured_) {}

CostModel::CostModel(std::shared_ptr<const Profile> profile, std::string_view gpu,
                     Generations generations)
    : profile_(std::move(profile)),
      measured_(device_of(*profile_)),
      target_(wanted_device(gpu)) {
  if (target_.name == measured_.name) return;
  const bool same = target_.architecture == measured_.architecture;
  if (!same && generations == Generations::same_only) {
    throw InputError(
        fmt::format("the profile is of {} ({}), the cluster's GPU is {} ({})", measured_.name,
                    measured_.architecture, target_.name, target_.architecture),
        fmt::format("a profile of {}; kernels of another generation say little",
                    target_.architecture));
  }
  warning_ = fmt::format(
      "no kernel was timed on {}: times of {} are multiplied by the ratio of the rooflines "
      "(expect {:.0f} % error on top)",
      target_.name, measured_.name, 100 * (same ? kTransferError : kGenerationError));
}

void CostModel::add_transfer(CurveOrigin& origin) const {
  if (warning_.empty()) return;
  const bool same = target_.architecture == measured_.architecture;
  origin.error += same ? kTransferError : kGenerationError;
  origin.provenance =
      worst(origin.provenance, same ? Provenance::extrapolated : Provenance::assumed);
  origin.note += fmt::format("; {} times the model ratio to {}", measured_.name, target_.name);
}

Seconds CostModel::memory_bound(Bytes moved) const {
  return profile_->memory.launch +
         moved / (target_.memory_bandwidth * profile_->memory.bandwidth);
}

Seconds CostModel::fp8_dots(Flops flops) const {
  const bool native = target_.fp8_flops.value > 0;
  const auto* section = choose_section(profile_->gemms, native ? Dtype::fp8_block : Dtype::bf16,
                                       [](const GemmSection&) { return true; });
  const double share = section ? section->roofline.compute : 0.7;
  return profile_->memory.launch +
         flops / ((native ? target_.fp8_flops : target_.bf16_flops) * share);
}

Seconds CostModel::router(double tokens, int hidden, int experts) const {
  if (tokens <= 0) return Seconds{0};
  // The gate's GEMM reads bf16 rows and weights, writes fp32 scores; top-k reads them again.
  const double gate = tokens * (2.0 * hidden + 4.0 * experts) + 2.0 * hidden * experts;
  return memory_bound(Bytes{gate}) + memory_bound(Bytes{tokens * 4.0 * experts});
}

Seconds CostModel::norm(double tokens, int hidden) const {
  // Reads the row and the residual, writes both.
  return tokens <= 0 ? Seconds{0} : memory_bound(Bytes{tokens * hidden * 8.0});
}

Seconds CostModel::permute(double rows, double row_bytes) const {
  return rows <= 0 ? Seconds{0} : memory_bound(Bytes{2 * rows * row_bytes});
}

Seconds CostModel::embedding(double tokens, int hidden) const {
  return tokens <= 0 ? Seconds{0} : memory_bound(Bytes{tokens * hidden * 4.0});
}

Seconds CostModel::sampling(double sequences, int vocab) const {
  if (sequences <= 0) return Seconds{0};
  // fp32 logits: temperature and softmax (read, write), sort-free top-p (read), argmax (read).
  return 4.0 * profile_->memory.launch + memory_bound(Bytes{sequences * vocab * 16.0});
}

Estimate CostModel::step_overhead(double sequences) const {
  const HostOverhead& host = profile_->host;
  return {host.per_step + sequences * host.per_sequence, host.provenance, host.error};
}

}  // namespace moesim
