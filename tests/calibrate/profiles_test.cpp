// Profiles by name, and the choice among their expert kernels.
#include "calibrate/profiles.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "calibrate/profile.hpp"
#include "sim/base/diagnostics.hpp"

using namespace moesim;

namespace {

using Format = std::pair<Dtype, bool>;

std::set<std::string> kernels_of(const Profile& profile, Format format) {
  std::set<std::string> names;
  for (const ExpertSection& s : profile.experts) {
    if (Format{s.key.dtype, s.gated} == format) names.insert(s.key.kernel);
  }
  return names;
}

}  // namespace

TEST_CASE("calibration.expert_kernel leaves it alone in its formats, and other formats alone") {
  const std::string part = "flashinfer_trtllm";
  const auto all = load_profile("b200-sxm/trtllm");
  const auto chosen = with_expert_kernel(*all, part);
  int narrowed = 0;
  for (const ExpertSection& s : all->experts) {
    const Format format{s.key.dtype, s.gated};
    const auto before = kernels_of(*all, format);
    const auto after = kernels_of(*chosen, format);
    std::set<std::string> wanted;
    for (const std::string& name : before) {
      if (name.find(part) != std::string::npos) wanted.insert(name);
    }
    CHECK(after == (wanted.empty() ? before : wanted));
    narrowed += after.size() < before.size() ? 1 : 0;
  }
  CHECK(narrowed > 0);
  CHECK(has_expert_kernel(*all, part));
  CHECK(chosen->gemms == all->gemms);
}

TEST_CASE("an expert kernel that a profile lacks is refused with those that it has") {
  const auto profile = load_profile("h200-sxm/sglang");
  CHECK_FALSE(has_expert_kernel(*profile, "cutedsl"));
  try {
    static_cast<void>(with_expert_kernel(*profile, "cutedsl"));
    FAIL("it was not refused");
  } catch (const InputError& error) {
    const Diagnostic& d = error.diagnostics().front();
    CHECK(d.message.find("'cutedsl'") != std::string::npos);
    for (const ExpertSection& s : profile->experts) {
      CHECK(d.expected.find(s.key.kernel) != std::string::npos);
    }
  }
}
