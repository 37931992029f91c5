#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "sim/base/errors.hpp"
#include "tools/report/series.hpp"

namespace moesim {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kRows = 256;
constexpr std::size_t kExperts = 512;
constexpr std::size_t kColumns = 180;
constexpr std::size_t kSamples = 720;
constexpr std::size_t kSlotsShown = 60'000;

// Four significant digits, or more; null for what was not observed.
Json rounded(double value, int digits = 4) {
  if (!std::isfinite(value)) return nullptr;
  if (value == std::floor(value) && std::abs(value) < 1e4) return static_cast<int>(value);
  return std::stod(fmt::format("{:.{}g}", value, digits));
}

Json rounded(const std::vector<double>& values, int digits = 4) {
  Json out = Json::array();
  for (const double value : values) out.push_back(rounded(value, digits));
  return out;
}

Json axis_json(const GridAxis& axis) {
  Json out{{"name", axis.name}, {"unit", axis.unit}, {"size", axis.size}};
  if (axis.labels.empty()) {
    out["start"] = axis.start;
    out["step"] = axis.step;
  } else {
    out["labels"] = axis.labels;
  }
  return out;
}

void check(const Grid& grid) {
  MOESIM_LAW(grid.values.size() == grid.rows.size * grid.columns.size,
             "a grid has one value per row and column");
  for (const GridAxis* axis : {&grid.rows, &grid.columns}) {
    MOESIM_LAW(axis->labels.empty() || axis->labels.size() == axis->size,
               "an axis has one label per cell or none");
  }
}

std::string_view to_text(Join join) {
  return join == Join::mean ? "mean" : join == Join::max ? "max" : "sum";
}

Json grid_json(const Grid& whole, Join join, std::size_t rows) {
  check(whole);
  const Grid grid = bin_grid(whole, rows, kColumns, join);
  return {
      {"rows", axis_json(grid.rows)},  {"columns", axis_json(grid.columns)},
      {"value", grid.value},           {"unit", grid.unit},
      {"join", to_text(join)},         {"joined", whole.values.size() != grid.values.size()},
      {"values", rounded(grid.values)}};
}

Json track_json(const Track& whole) {
  const Track track = bin_track(whole, kSamples);
  return {{"name", track.name},     {"label", track.label.empty() ? track.name : track.label},
          {"unit", track.unit},     {"start", track.start.value},
          {"bin", track.bin.value}, {"values", rounded(track.values)}};
}

Json cdf_json(const Cdf& cdf) {
  MOESIM_LAW(cdf.levels.size() == cdf.values.size(), "a quantile has a level and a value");
  return {{"name", cdf.name},
          {"tenant", cdf.tenant},
          {"unit", cdf.unit},
          {"levels", rounded(cdf.levels, 6)},
          {"values", rounded(cdf.values)}};
}

// Every n-th layer where all of them would not fit.
Json placement_json(const PlacementMap& map) {
  const std::size_t each = map.gpus * map.slots;
  MOESIM_LAW(map.expert.size() == map.layers.size() * each, "a slot holds one expert or none");
  MOESIM_LAW(map.load.size() == map.expert.size(), "a slot has one load");
  const std::size_t stride = map.expert.size() / kSlotsShown + 1;
  Json layers = Json::array();
  Json expert = Json::array();
  Json load = Json::array();
  for (std::size_t l = 0; l < map.layers.size(); l += stride) {
    layers.push_back(map.layers[l]);
    for (std::size_t i = l * each; i < (l + 1) * each; ++i) {
      expert.push_back(map.expert[i]);
      load.push_back(rounded(map.load[i]));
    }
  }
  return {{"layers", layers},
          {"gpus", map.gpus},
          {"slots", map.slots},
          {"expert", expert},
          {"load", load},
          {"experts", map.experts},
          {"gpus_per_node", map.gpus_per_node}};
}

}  // namespace

std::string series_json(const ReportSeries& series) {
  Json out;
  const auto add = [&](const char* name, const Grid& grid, Join join,
                       std::size_t rows = kRows) {
    if (!grid.empty()) out[name] = grid_json(grid, join, rows);
  };
  out["schema_version"] = 1;
  add("phases_step", series.phases_step, Join::sum);
  add("phases_prefill", series.phases_prefill, Join::sum);
  add("phases_decode", series.phases_decode, Join::sum);
  for (const Cdf& cdf : series.cdfs) out["cdfs"].push_back(cdf_json(cdf));
  add("gpu_time", series.gpu_time, Join::mean);
  add("expert_layer", series.expert_layer, Join::max, kExperts);
  add("gpu_layer", series.gpu_layer, Join::max);
  add("link_time", series.link_time, Join::mean);
  add("node_traffic", series.node_traffic, Join::sum);
  for (const Track& track : series.tracks) out["tracks"].push_back(track_json(track));
  for (const Mark& mark : series.marks) {
    out["marks"].push_back({{"at", mark.at.value},
                            {"until", std::max(mark.at, mark.until).value},
                            {"kind", mark.kind},
                            {"text", mark.text}});
  }
  if (!series.placement.expert.empty()) out["placement"] = placement_json(series.placement);
  // Names come from users' files: bytes that are not UTF-8 become U+FFFD.
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace moesim
