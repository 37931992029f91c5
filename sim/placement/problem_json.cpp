#include "sim/placement/problem_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "sim/base/diagnostics.hpp"
#include "sim/base/spelling.hpp"
#include "sim/placement/bounds.hpp"
#include "sim/placement/json_input.hpp"
#include "sim/placement/strategy.hpp"

namespace moesim {

namespace {

using Json = nlohmann::json;

std::size_t z(int i) { return static_cast<std::size_t>(i); }

const std::vector<std::string>& known_keys() {
  static const std::vector<std::string> keys = {"weights",
                                                "slots",
                                                "groups",
                                                "nodes",
                                                "gpus",
                                                "strategy",
                                                "no_same_gpu_duplicates",
                                                "budget",
                                                "gpu_speed",
                                                "windows",
                                                "tokens",
                                                "previous",
                                                "migration_budget",
                                                "file",
                                                "program"};
  return keys;
}

void check_keys(const Json& json, JsonInput& in) {
  for (const auto& [key, value] : json.items()) {
    if (std::ranges::find(known_keys(), key) != known_keys().end()) continue;
    in.fault(fmt::format("unknown key '{}'", key), "", did_you_mean(key, known_keys()));
  }
  for (const char* key : {"weights", "slots", "gpus"}) {
    if (!json.contains(key)) in.fault(fmt::format("'{}' is missing", key), "a problem has one");
  }
}

// A list of numbers is one layer.
std::vector<std::vector<double>> weight_rows(const Json& json, JsonInput& in) {
  const Json& weights = json["weights"];
  const bool flat =
      weights.is_array() && !weights.empty() && std::ranges::none_of(weights, &Json::is_array);
  if (flat) return {in.row<double>(weights, "weights")};
  return in.matrix<double>(json, "weights");
}

void read_weights(const Json& json, JsonInput& in, ProblemFile& out) {
  PlacementProblem& p = out.problem;
  const auto rows = weight_rows(json, in);
  p.layers = static_cast<int>(rows.size());
  p.experts = rows.empty() ? 0 : static_cast<int>(rows.front().size());
  for (std::size_t l = 0; l < rows.size(); ++l) {
    if (rows[l].size() != rows.front().size()) {
      in.fault(fmt::format("weights[{}] has {} experts, weights[0] has {}", l, rows[l].size(),
                           rows.front().size()),
               "as many in every layer");
    }
    p.weights.insert(p.weights.end(), rows[l].begin(), rows[l].end());
  }
}

void read_windows(const Json& json, JsonInput& in, ProblemFile& out) {
  if (!json.contains("windows")) return;
  const Json& windows = json["windows"];
  if (!windows.is_array()) {
    in.fault("'windows' is not an array", "[windows][layers][experts]");
    return;
  }
  for (std::size_t w = 0; w < windows.size(); ++w) {
    const auto rows =
        in.matrix<double>(windows[w], fmt::format("windows[{}]", w), JsonInput::itself);
    if (rows.size() != z(out.problem.layers)) {
      in.fault(fmt::format("windows[{}] has {} layers, weights have {}", w, rows.size(),
                           out.problem.layers),
               "as many layers as weights");
    }
    for (const auto& row : rows) {
      if (row.size() != z(out.problem.experts)) {
        in.fault(fmt::format("windows[{}] has {} experts, weights have {}", w, row.size(),
                             out.problem.experts),
                 "as many experts as weights");
      }
      out.problem.windows.insert(out.problem.windows.end(), row.begin(), row.end());
    }
  }
}

void read_tokens(const Json& json, JsonInput& in, ProblemFile& out) {
  if (!json.contains("tokens")) return;
  const Json& layers = json["tokens"];
  if (!layers.is_array()) {
    in.fault("'tokens' is not an array", "[layers][tokens][top_k]");
    return;
  }
  std::vector<int> top_k;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const auto rows =
        in.matrix<int>(layers[l], fmt::format("tokens[{}]", l), JsonInput::itself);
    auto& flat = out.tokens.emplace_back();
    top_k.push_back(rows.empty() ? 1 : static_cast<int>(rows.front().size()));
    for (const auto& row : rows) {
      if (row.size() != z(top_k.back())) {
        in.fault(fmt::format("tokens[{}]: one token has {} experts, another {}", l, row.size(),
                             top_k.back()),
                 "top_k experts for every token");
        return;
      }
      for (const int e : row) {
        if (e < 0 || e >= out.problem.experts) {
          in.fault(fmt::format("tokens[{}]: expert {} of {}", l, e, out.problem.experts),
                   fmt::format("0 to {}", out.problem.experts - 1));
          return;
        }
        flat.push_back(static_cast<std::uint16_t>(e));
      }
    }
  }
  for (std::size_t l = 0; l < out.tokens.size(); ++l) {
    out.problem.samples.push_back({out.tokens[l], top_k[l]});
  }
}

void read_previous(const Json& json, JsonInput& in, ProblemFile& out) {
  if (json.contains("previous")) {
    for (const auto& row : in.matrix<int>(json, "previous")) {
      out.problem.previous.insert(out.problem.previous.end(), row.begin(), row.end());
    }
  }
  if (json.contains("migration_budget")) {
    out.problem.migration_budget = in.integer(json, "migration_budget", 0);
  }
}

Json rows_of(std::span<const double> values, std::size_t width) {
  Json rows = Json::array();
  for (std::size_t i = 0; i + width <= values.size(); i += width) {
    rows.push_back(Json(std::vector<double>(values.begin() + static_cast<long>(i),
                                            values.begin() + static_cast<long>(i + width))));
  }
  return rows;
}

Json map_rows(const Placement& placement) {
  Json rows = Json::array();
  for (int l = 0; l < placement.layers; ++l) {
    const auto experts = placement.slot_experts(l);
    rows.push_back(std::vector<int>(experts.begin(), experts.end()));
  }
  return rows;
}

}  // namespace

ProblemFile read_problem(std::string_view text, const std::string& file) {
  JsonInput in(file);
  const Json json = in.parse(text);
  in.throw_if_faults();
  if (!json.is_object()) {
    in.fault("the problem is not a JSON object", R"({"weights": [[...]], "slots": ...})");
  }
  in.throw_if_faults();
  check_keys(json, in);
  ProblemFile out;
  PlacementProblem& p = out.problem;
  if (json.contains("weights")) read_weights(json, in, out);
  p.slots = in.integer(json, "slots", 0);
  p.gpus = in.integer(json, "gpus", 1);
  p.groups = in.integer(json, "groups", 1);
  p.nodes = in.integer(json, "nodes", 1);
  if (json.contains("gpu_speed")) p.gpu_speed = in.row<double>(json["gpu_speed"], "gpu_speed");
  read_windows(json, in, out);
  read_tokens(json, in, out);
  read_previous(json, in, out);
  out.options.strategy = in.text(json, "strategy", out.options.strategy);
  out.options.budget = in.text(json, "budget", out.options.budget);
  out.options.file = in.text(json, "file", "");
  out.options.program = in.text(json, "program", "");
  out.options.no_same_gpu_duplicates = in.boolean(json, "no_same_gpu_duplicates", false);
  in.throw_if_faults();
  return out;
}

std::string problem_json(const PlacementProblem& p) {
  Json json;
  const std::size_t experts = z(p.experts);
  json["weights"] = rows_of(p.weights, experts);
  json["slots"] = p.slots;
  json["groups"] = p.groups;
  json["nodes"] = p.nodes;
  json["gpus"] = p.gpus;
  if (!p.gpu_speed.empty()) json["gpu_speed"] = p.gpu_speed;
  for (int w = 0; w < p.window_count(); ++w) {
    const std::size_t size = z(p.layers) * experts;
    json["windows"].push_back(
        rows_of(std::span(p.windows).subspan(z(w) * size, size), experts));
  }
  for (const TokenView& sample : p.samples) {
    Json rows = Json::array();
    for (std::size_t t = 0; t < sample.tokens(); ++t) {
      rows.push_back(std::vector<int>(sample.of(t).begin(), sample.of(t).end()));
    }
    json["tokens"].push_back(std::move(rows));
  }
  for (std::size_t i = 0; i < p.previous.size(); i += z(p.slots)) {
    json["previous"].push_back(
        std::vector<int>(p.previous.begin() + static_cast<long>(i),
                         p.previous.begin() + static_cast<long>(i + z(p.slots))));
  }
  if (p.migration_budget) json["migration_budget"] = *p.migration_budget;
  return json.dump();
}

std::string placement_json(const PlacementProblem& problem, const Placement& placement) {
  const PlacementVerdict verdict = judge(problem, placement);
  nlohmann::ordered_json json;
  json["physical_to_logical"] = map_rows(placement);
  Json counts = Json::array();
  for (int l = 0; l < placement.layers; ++l) {
    std::vector<std::size_t> row;
    for (int e = 0; e < placement.experts; ++e) row.push_back(placement.replicas(l, e).size());
    counts.push_back(std::move(row));
  }
  json["replica_count"] = std::move(counts);
  json["balancedness"] = verdict.balancedness;
  json["lower_bound"] = verdict.lower_bound;
  json["busiest_gpu"] = verdict.busiest_gpu;
  json["gap"] = verdict.gap;
  json["same_gpu_duplicates"] = verdict.same_gpu_duplicates;
  if (!problem.previous.empty()) json["migrated_experts"] = verdict.migrated_experts;
  json["layer_balancedness"] = verdict.layer_balancedness;
  json["layer_lower_bound"] = verdict.layer_lower_bound;
  json["layer_busiest_gpu"] = verdict.layer_busiest_gpu;
  return json.dump() + "\n";
}

std::string place_problem(std::string_view text, const std::string& file) {
  const ProblemFile input = read_problem(text, file);
  return placement_json(input.problem, place(input.problem, input.options));
}

std::string placement_map_json(const Placement& placement) {
  return Json{{"physical_to_logical_map", map_rows(placement)}}.dump() + "\n";
}

}  // namespace moesim
