// Whether placement, router, profile and faults fit the rest.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include "calibrate/profile.hpp"
#include "calibrate/profiles.hpp"
#include "sim/base/diagnostics.hpp"
#include "sim/router/trace_file.hpp"
#include "sim/scenario/contradictions.hpp"
#include "sim/scenario/validate.hpp"
#include "sim/serving/cluster_costs.hpp"

namespace moesim {

namespace {

// The number after `word` at the start of `target`: "node5.nic1", "node" -> 5.
std::optional<int> number_after(std::string_view target, std::string_view word) {
  if (!target.starts_with(word)) return std::nullopt;
  target.remove_prefix(word.size());
  int number = 0;
  const auto [stop, problem] =
      std::from_chars(target.data(), target.data() + target.size(), number);
  if (problem != std::errc{} || number < 0) return std::nullopt;
  return number;
}

void check_fault(const Scenario& s, const FaultOptions& fault, const std::string& key,
                 Contradictions& tell) {
  const auto too_far = [&](std::string_view word, std::int64_t count, const char* other) {
    const auto number = number_after(fault.target, word);
    if (!number || *number < count) return;
    tell.error({key + ".target", other},
               fmt::format("'{}' does not exist: there are {} {}s, counted from 0",
                           fault.target, count, word),
               fmt::format("{}0 to {}{}", word, word, count - 1));
  };
  if (fault.bandwidth == 1 && fault.speed == 1) {
    tell.error({key + ".target"}, fmt::format("nothing happens to '{}'", fault.target),
               "bandwidth or speed below 1; 0: down", key + ".speed = 0");
  }
  std::int64_t nodes = 0;
  int nics = 0;
  for (const NodeKind& kind : node_kinds(s.cluster)) {
    nodes += kind.nodes;
    nics = std::max(nics, kind.node.nics);
  }
  const char* count_key = s.cluster.groups.empty() ? "cluster.nodes" : "cluster.group";
  too_far("node", nodes, count_key);
  too_far("gpu", gpu_count(s.cluster), count_key);
  const auto dot = fault.target.find(".nic");
  const auto nic = dot == std::string::npos
                       ? std::nullopt
                       : number_after(std::string_view(fault.target).substr(dot), ".nic");
  if (nic && *nic >= nics) {
    tell.error({key + ".target", "cluster.node.nics"},
               fmt::format("'{}' does not exist: a node has {} NICs, counted from 0",
                           fault.target, nics),
               fmt::format("nic0 to nic{}", nics - 1));
  }
}

void check_scale(const Scenario& s, const ScaleOptions& scale, const std::string& key,
                 Contradictions& tell) {
  const bool pools = s.serving.mode == ServingMode::disaggregated;
  const int count =
      pools ? s.serving.prefill.instances + s.serving.decode.instances : s.serving.instances;
  if (scale.instance < count) return;
  tell.error({key + ".instance", pools ? "serving.decode.instances" : "serving.instances"},
             fmt::format("instance {} does not exist: there are {}, counted from 0",
                         scale.instance, count),
             fmt::format("0 to {}", count - 1));
}

void check_routing_file(const Scenario& s, Contradictions& tell) {
  if (!names_a_file(s.router.skew)) {
    if (s.router.replay) {
      tell.error({"router.replay", "router.skew"},
                 fmt::format("'{}' is no trace that could be replayed", s.router.skew),
                 "router.skew = the path of a load or token trace");
    }
    return;
  }
  std::error_code problem;
  if (std::filesystem::exists(s.router.skew, problem)) return;
  tell.error({"router.skew"}, fmt::format("there is no file '{}'", s.router.skew),
             "a path relative to the scenario's folder, or to the current one");
}

// Which profile each kind has where kinds are mixed: ClusterCosts' rule, asked before the run.
void check_profiles_of_kinds(const Scenario& s, const std::vector<NodeKind>& kinds,
                             Contradictions& tell) {
  const std::string& given = s.calibration.profile;
  std::shared_ptr<const Profile> known;
  try {
    known = load_profile(given);
  } catch (const InputError&) {
    return;  // told in its own words by whoever loads it for good
  }
  for (const NodeKind& kind : kinds) {
    const std::vector<std::string> keys{"calibration.profile", kind.key + ".gpu.name"};
    try {
      const std::string name = profile_of_kind(kind.gpu.name, given, *known);
      const std::string measured = name == given ? known->gpu : name.substr(0, name.find('/'));
      if (measured == kind.gpu.name) continue;
      tell.warning(keys,
                   fmt::format("{} has profile {}, which was measured on {}", kind.gpu.name,
                               name, measured),
                   "a profile of one of the cluster's GPUs; times are scaled");
    } catch (const InputError& refused) {
      const Diagnostic& why = refused.diagnostics().front();
      tell.error(keys, why.message, why.expected);
    }
  }
}

void check_profile(const Scenario& s, Contradictions& tell) {
  const std::string& profile = s.calibration.profile;
  const std::vector<NodeKind> kinds = node_kinds(s.cluster);
  if (kinds.empty()) return;
  const std::string& first = kinds.front().gpu.name;
  if (std::ranges::any_of(kinds, [&](const auto& kind) { return kind.gpu.name != first; })) {
    check_profiles_of_kinds(s, kinds, tell);
    return;
  }
  if (profile.ends_with(".json") || profile.ends_with(".toml")) return;  // a user's own file
  const std::string gpu = profile.substr(0, profile.find('/'));
  if (gpu == first) return;
  tell.warning({"calibration.profile", kinds.front().key + ".gpu.name"},
               fmt::format("the profile was measured on {}, the cluster has {}", gpu, first),
               "a profile of the cluster's GPU (`moesim list profiles`); times are scaled");
}

}  // namespace

void validate_policies(const Scenario& s, Contradictions& tell) {
  if (s.placement.strategy == "file" && s.placement.file.empty()) {
    tell.error({"placement.file", "placement.strategy"}, "strategy \"file\" needs a file",
               "placement.file = the map to load");
  }
  if (s.placement.strategy == "external" && s.placement.program.empty()) {
    tell.error({"placement.program", "placement.strategy"},
               "strategy \"external\" needs a program", "placement.program = what to run");
  }
  if (s.router.overflow != "none" && s.router.capacity_factor <= 0) {
    tell.warning({"router.overflow", "router.capacity_factor"},
                 fmt::format("overflow \"{}\" never happens: experts have no capacity limit",
                             s.router.overflow),
                 "a router.capacity_factor above 0");
  }
  if (s.router.overflow == "none" && s.router.capacity_factor > 0) {
    tell.error({"router.capacity_factor", "router.overflow"},
               "experts have a capacity, but nothing is said of what overflows",
               "router.overflow = drop, reroute or pad");
  }
  check_routing_file(s, tell);
  check_profile(s, tell);
  for (std::size_t i = 0; i < s.faults.size(); ++i) {
    check_fault(s, s.faults[i], fmt::format("fault[{}]", i), tell);
  }
  if (s.serving.mode == ServingMode::training) return;  // has no instances
  for (std::size_t i = 0; i < s.scales.size(); ++i) {
    check_scale(s, s.scales[i], fmt::format("scale[{}]", i), tell);
  }
}

}  // namespace moesim
