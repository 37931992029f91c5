// Maps from other programs: the formats are told in problem_json.hpp.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sim/base/diagnostics.hpp"
#include "sim/placement/json_input.hpp"
#include "sim/placement/problem_json.hpp"

namespace moesim {

namespace {

using Json = nlohmann::json;

// vLLM's static map: one list of experts per device, in device order as written.
std::vector<std::vector<int>> read_layer_list(const Json& list, JsonInput& in) {
  std::vector<std::vector<int>> map;
  for (const Json& layer : list) {
    auto& row = map.emplace_back();
    const Json devices = layer.is_object() ? layer.value("device_list", Json()) : Json();
    for (const Json& device : devices) {
      const Json experts = device.is_object() ? device.value("device_expert", Json()) : Json();
      for (const int e : in.row<int>(experts, "device_expert")) row.push_back(e);
    }
  }
  return map;
}

}  // namespace

std::vector<std::vector<int>> read_placement_map(std::string_view text,
                                                 const std::string& file) {
  JsonInput in(file);
  const Json json = in.parse(text);
  in.throw_if_faults();
  std::vector<std::vector<int>> map;
  if (json.is_array()) {
    map = in.matrix<int>(json, "the map", JsonInput::itself);
  } else if (json.is_object() && json.contains("physical_to_logical_map")) {
    map = in.matrix<int>(json, "physical_to_logical_map");
  } else if (json.is_object() && json.contains("physical_to_logical")) {
    map = in.matrix<int>(json, "physical_to_logical");
  } else if (json.is_object() && json.contains("layer_list")) {
    map = read_layer_list(json["layer_list"], in);
  } else {
    in.fault("no placement found",
             "'physical_to_logical_map', 'physical_to_logical', 'layer_list' or [[...]]");
  }
  in.throw_if_faults();
  return map;
}

Placement placement_of_map(const PlacementProblem& p, const std::vector<std::vector<int>>& map,
                           const std::string& source) {
  Diagnostics faults;
  if (map.size() != static_cast<std::size_t>(p.layers)) {
    faults.error({}, fmt::format("{} has {} layers", source, map.size()),
                 fmt::format("{}, one per MoE layer", p.layers));
  }
  std::vector<int> flat;
  for (std::size_t l = 0; l < map.size(); ++l) {
    if (map[l].size() != static_cast<std::size_t>(p.slots)) {
      faults.error({}, fmt::format("{}: layer {} has {} slots", source, l, map[l].size()),
                   fmt::format("{} ({} experts and {} redundant ones)", p.slots, p.experts,
                               p.slots - p.experts));
    }
    std::vector<char> seen(static_cast<std::size_t>(p.experts), 0);
    for (const int e : map[l]) {
      if (e < 0 || e >= p.experts) {
        faults.error({}, fmt::format("{}: layer {} has expert {}", source, l, e),
                     fmt::format("0 to {}", p.experts - 1));
        break;
      }
      seen[static_cast<std::size_t>(e)] = 1;
    }
    const auto missing = std::ranges::count(seen, 0);
    if (missing > 0) {
      const auto first = std::ranges::find(seen, 0) - seen.begin();
      faults.error({},
                   fmt::format("{}: layer {} lacks {} of {} experts, the first is {}", source,
                               l, missing, p.experts, first),
                   "every expert in at least one slot");
    }
    flat.insert(flat.end(), map[l].begin(), map[l].end());
    if (faults.all().size() > 8) break;  // more would not help
  }
  faults.throw_if_errors();
  return uniform_placement(p.layers, p.experts, p.slots, p.nodes, p.gpus, std::move(flat));
}

}  // namespace moesim
