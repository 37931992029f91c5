// One scenario: everything a run depends on, as plain values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/diagnostics.hpp"
#include "sim/metrics/options.hpp"
#include "sim/model/shape.hpp"
#include "sim/placement/options.hpp"
#include "sim/router/options.hpp"
#include "sim/scenario/tree.hpp"
#include "sim/serving/options.hpp"
#include "sim/training/options.hpp"
#include "sim/workload/options.hpp"
#include "topology/options.hpp"

namespace moesim {

// Where each key that was given stands: "placement.strategy", "traffic.tenant[0].share".
class Places {
 public:
  void put(std::string key, Span span) { spans_[std::move(key)] = std::move(span); }
  [[nodiscard]] bool has(std::string_view key) const { return spans_.contains(key); }
  // The place of the key, else of the nearest table above it that was given, else of no place.
  [[nodiscard]] Place of(std::string_view key) const;

  // Where a value was written is no part of what it is.
  friend bool operator==(const Places&, const Places&) { return true; }

 private:
  std::map<std::string, Span, std::less<>> spans_;
};

// The grid of `moesim sweep`: "key=a,b" or "key=from:to:step" each.
struct SweepOptions {
  std::vector<std::string> vary;
  friend bool operator==(const SweepOptions&, const SweepOptions&) = default;
};

struct Scenario {
  std::string name = "scenario";
  std::uint64_t seed = 1;
  int requests = 1000;
  ModelShape model;
  ClusterOptions cluster;
  CalibrationOptions calibration;
  PlacementOptions placement;
  RouterOptions router;
  ServingOptions serving;
  TrainingOptions training;  // with serving.mode = training
  TrafficOptions traffic;
  std::vector<FaultOptions> faults;
  std::vector<ScaleOptions> scales;
  SloOptions slo;
  SweepOptions sweep;
  Places places;

  friend bool operator==(const Scenario&, const Scenario&) = default;
};

// Reads a scenario file, with the presets it names below it and `overrides` ("key=value") above
// it. Everything that is wrong is told in `diagnostics`, the world's faults (no such file)
// included; the scenario that comes back is then not to be used.
Scenario read_scenario(const std::filesystem::path& path,
                       const std::vector<std::string>& overrides, Diagnostics& diagnostics);

// The same from a text; `name` is what messages call it, and relative preset files are looked
// up in the folder of `name`.
Scenario read_scenario_text(std::string_view content, const std::string& name,
                            const std::vector<std::string>& overrides,
                            Diagnostics& diagnostics);

// A preset file alone: scenarios/models/NAME.toml, scenarios/systems/NAME.toml.
ModelShape read_model(std::string_view name);       // throws InputError
ClusterOptions read_system(std::string_view name);  // throws InputError

// Names of the preset files in scenarios/FOLDER, sorted.
std::vector<std::string> preset_names(std::string_view folder);

// The TOML text with every value in effect; it reads back to an equal scenario.
std::string resolved_toml(const Scenario& scenario);

}  // namespace moesim
