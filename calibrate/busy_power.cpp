#include "calibrate/busy_power.hpp"

#include <initializer_list>
#include <string>
#include <string_view>

#include "calibrate/profile.hpp"
#include "calibrate/section_choice.hpp"

namespace moesim {

namespace {

// An operation is called "gemm fp8 m=64 n=4096 k=7168" (measure/operation.hpp).
const EnergyPoint* find(const Profile& profile, std::string_view kind, Dtype weights) {
  for (const Dtype dtype : stand_ins(weights)) {
    const std::string start = std::string(kind) + " " + std::string(to_text(dtype)) + " ";
    for (const EnergyPoint& point : profile.energy) {
      if (point.operation.starts_with(start)) return &point;
    }
  }
  return nullptr;
}

// Of the first kind that was run.
std::optional<Watts> first_of(const Profile& profile, Dtype weights,
                              std::initializer_list<std::string_view> kinds) {
  for (const std::string_view kind : kinds) {
    if (const EnergyPoint* point = find(profile, kind, weights)) return Watts{point->watts};
  }
  return std::nullopt;
}

}  // namespace

std::optional<BusyPower> busy_power(const Profile& profile, Dtype weights) {
  const auto attention =
      first_of(profile, weights, {"decode_attention", "copy", "experts", "gemm"});
  const auto dense = first_of(profile, weights, {"gemm", "experts", "copy"});
  const auto experts = first_of(profile, weights, {"experts", "gemm", "copy"});
  if (!attention || !dense || !experts) return std::nullopt;
  return BusyPower{*attention, *dense, *experts};
}

}  // namespace moesim
