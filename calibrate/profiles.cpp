#include "calibrate/profiles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "calibrate/devices.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/profile_io.hpp"
#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"
#include "sim/base/spelling.hpp"

namespace moesim {

namespace fs = std::filesystem;

namespace {

fs::path profile_folder() { return data_folder() / "calibrate" / "profiles"; }

bool is_shipped(const std::string& name) {
  const auto names = shipped_profiles();
  return std::binary_search(names.begin(), names.end(), name);
}

bool is_kernel(const ExpertSection& section, const std::string& kernel) {
  return section.key.kernel.find(kernel) != std::string::npos;
}

double unlikeness(const Device& a, const Device& b) {
  return std::abs(std::log(a.memory_bandwidth / b.memory_bandwidth)) +
         std::abs(std::log(a.bf16_flops / b.bf16_flops));
}

}  // namespace

bool has_expert_kernel(const Profile& profile, const std::string& expert_kernel) {
  return std::ranges::any_of(
      profile.experts, [&](const ExpertSection& s) { return is_kernel(s, expert_kernel); });
}

std::shared_ptr<const Profile> with_expert_kernel(const Profile& profile,
                                                  const std::string& expert_kernel) {
  std::set<std::pair<Dtype, bool>> formats;
  std::set<std::string> names;
  for (const ExpertSection& s : profile.experts) {
    names.insert(s.key.kernel);
    if (is_kernel(s, expert_kernel)) formats.insert({s.key.dtype, s.gated});
  }
  if (formats.empty()) {
    throw InputError(fmt::format("no expert kernel of profile '{}/{}' has '{}' in its name",
                                 profile.gpu, profile.engine, expert_kernel),
                     fmt::format("part of one of {}", fmt::join(names, ", ")));
  }
  auto chosen = std::make_shared<Profile>(profile);
  std::erase_if(chosen->experts, [&](const ExpertSection& s) {
    return formats.contains({s.key.dtype, s.gated}) && !is_kernel(s, expert_kernel);
  });
  return chosen;
}

std::vector<std::string> shipped_profiles() {
  std::vector<std::string> names;
  std::error_code problem;
  for (const auto& gpu : fs::directory_iterator(profile_folder(), problem)) {
    if (!gpu.is_directory()) continue;
    for (const auto& file : fs::directory_iterator(gpu.path(), problem)) {
      if (file.path().extension() != ".toml") continue;
      names.push_back(gpu.path().filename().string() + "/" + file.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string nearest_shipped_gpu(const std::string& gpu) {
  const auto wanted = find_device(gpu);
  if (!wanted) return "";
  std::string nearest;
  double least = HUGE_VAL;
  for (const std::string& name : shipped_profiles()) {
    const auto device = find_device(name.substr(0, name.find('/')));
    if (!device || device->architecture != wanted->architecture) continue;
    const double apart = unlikeness(*device, *wanted);
    if (apart < least) {
      least = apart;
      nearest = device->name;
    }
  }
  return nearest;
}

std::shared_ptr<const Profile> load_profile(const std::string& name_or_path) {
  const auto read = [](const fs::path& path) {
    return std::make_shared<const Profile>(read_profile(path));
  };
  if (is_shipped(name_or_path)) return read(profile_folder() / (name_or_path + ".toml"));
  if (name_or_path.ends_with(".toml")) return read(name_or_path);
  const auto slash = name_or_path.find('/');
  if (slash != std::string::npos) {
    const std::string sister = nearest_shipped_gpu(name_or_path.substr(0, slash));
    const std::string name = sister + name_or_path.substr(slash);
    if (!sister.empty() && is_shipped(name)) return read(profile_folder() / (name + ".toml"));
  }
  const auto names = shipped_profiles();
  throw InputError(fmt::format("unknown profile '{}'", name_or_path),
                   names.empty()
                       ? "a .toml file; no profiles are shipped beside this program"
                       : fmt::format("a .toml file, or one of {}", fmt::join(names, ", ")),
                   did_you_mean(name_or_path, names));
}

}  // namespace moesim
