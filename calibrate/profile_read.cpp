#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cmath>

#include "calibrate/devices.hpp"
#include "calibrate/profile_curves.hpp"
#include "calibrate/profile_io.hpp"
#include "calibrate/residuals.hpp"
#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"

namespace moesim {

namespace {

// Reads the TOML half; every fault is collected with its line.
class TomlReader {
 public:
  TomlReader(std::string file, Diagnostics& wrong) : file_(std::move(file)), wrong_(wrong) {}

  void fault(const toml::node& at, std::string message, std::string expected) const {
    const auto& where = at.source().begin;
    wrong_.error({file_, static_cast<int>(where.line), static_cast<int>(where.column), ""},
                 std::move(message), std::move(expected));
  }

  template <class T>
  [[nodiscard]] T get(const toml::table& table, std::string_view key, T otherwise) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) {
      fault(table, fmt::format("'{}' is missing", key), "a whole profile");
      return otherwise;
    }
    if (const auto value = node->value<T>()) {
      if constexpr (std::is_same_v<T, double>) {
        if (!std::isfinite(*value) || *value < 0) {
          fault(*node, fmt::format("'{}' is {}", key, *value), "a number that is not negative");
          return otherwise;
        }
      }
      return *value;
    }
    fault(*node, fmt::format("'{}' has the wrong type", key),
          "as `moesim calibrate fit` writes");
    return otherwise;
  }

  [[nodiscard]] std::vector<std::string> strings(const toml::table& table,
                                                 std::string_view key) const {
    std::vector<std::string> out;
    if (const auto* list = table[key].as_array()) {
      for (const auto& item : *list) out.push_back(item.value_or(std::string()));
    }
    return out;
  }

  [[nodiscard]] Provenance provenance(const toml::table& table) const {
    const auto name = get<std::string>(table, "provenance", "assumed");
    for (const Provenance p : {Provenance::measured, Provenance::interpolated,
                               Provenance::extrapolated, Provenance::imported}) {
      if (to_text(p) == name) return p;
    }
    return Provenance::assumed;
  }

  [[nodiscard]] KernelKey key(const toml::table& table) const {
    KernelKey out{get<std::string>(table, "engine", ""), get<std::string>(table, "version", ""),
                  get<std::string>(table, "kernel", ""), Dtype::bf16};
    const auto dtype = parse_dtype(get<std::string>(table, "dtype", "bf16"));
    if (dtype) {
      out.dtype = *dtype;
    } else {
      fault(table, "unknown number format in 'dtype'", "bf16, fp8, fp8_block, ...");
    }
    return out;
  }

  [[nodiscard]] Roofline roofline(const toml::table& table) const {
    const auto* r = table["roofline"].as_table();
    if (r == nullptr) {
      fault(table, "'roofline' is missing", "a whole profile");
      return {};
    }
    return {get<double>(*r, "fixed_s", 0),   get<double>(*r, "compute", 1),
            get<double>(*r, "bandwidth", 1), get<double>(*r, "half_rows", 0),
            get<double>(*r, "sharpness", 1), get<double>(*r, "activation_share", 1)};
  }

  [[nodiscard]] static HeldOut held_out(const toml::table& table, std::string_view key) {
    HeldOut out;
    const auto* h = table[key].as_table();
    if (h == nullptr) return out;
    const auto summary = [&](std::string_view part) {
      ErrorSummary e;
      if (const auto* list = (*h)[part].as_array(); list != nullptr && list->size() == 4) {
        e = {(*list)[0].value_or(0.0), (*list)[1].value_or(0.0), (*list)[2].value_or(0.0),
             (*list)[3].value_or(0)};
      }
      return e;
    };
    return {(*h)["method"].value_or(std::string()), summary("all"), summary("small"),
            summary("middle"), summary("large")};
  }

  void read(const toml::table& t, Profile& p) const {
    read_head(t, p);
    if (const auto* h = t["host"].as_table()) p.host = host(*h);
    if (const auto* m = t["memory"].as_table()) p.memory = memory(*m);
    each(t, "all_to_all", [&](const toml::table& s) { p.exchanges.push_back(exchange(s)); });
    each(t, "energy", [&](const toml::table& s) { p.energy.push_back(energy(s)); });
    each(t, "experts", [&](const toml::table& s) { p.experts.push_back(expert_section(s)); });
    each(t, "gemm", [&](const toml::table& s) { p.gemms.push_back(gemm_section(s)); });
    each(t, "attention", [&](const toml::table& s) { p.attention.push_back(attention(s)); });
  }

 private:
  template <class F>
  static void each(const toml::table& t, std::string_view key, F&& f) {
    if (const auto* list = t[key].as_array()) {
      for (const auto& item : *list) {
        if (const auto* section = item.as_table()) f(*section);
      }
    }
  }

  void read_head(const toml::table& t, Profile& p) const {
    p.gpu = get<std::string>(t, "gpu", "");
    p.engine = get<std::string>(t, "engine", "");
    p.provenance = provenance(t);
    p.sources = strings(t, "sources");
    p.notes = strings(t, "notes");
    if (find_device(p.gpu)) return;
    std::string known;
    for (const Device& d : devices())
      known += (known.empty() ? "" : ", ") + std::string(d.name);
    const toml::node* at = t.get("gpu");
    fault(at != nullptr ? *at : t, fmt::format("unknown GPU '{}'", p.gpu), known);
  }

  // Zero where the key is not there.
  [[nodiscard]] Seconds seconds_or_none(const toml::table& t, std::string_view key) const {
    return Seconds{t.contains(key) ? get<double>(t, key, 0) : 0};
  }

  [[nodiscard]] HostOverhead host(const toml::table& h) const {
    return {Seconds{get<double>(h, "per_step_s", 0)},
            Seconds{get<double>(h, "per_sequence_s", 0)},
            Seconds{get<double>(h, "per_layer_s", 0)},
            Seconds{get<double>(h, "per_prompt_token_s", 0)},
            Seconds{get<double>(h, "per_request_s", 0)},
            Seconds{get<double>(h, "per_request_layer_s", 0)},
            provenance(h),
            get<double>(h, "error", 0)};
  }

  [[nodiscard]] MemoryKernels memory(const toml::table& m) const {
    return {Seconds{get<double>(m, "launch_s", 0)},
            get<double>(m, "bandwidth", 1),
            seconds_or_none(m, "graph_node_s"),
            seconds_or_none(m, "stream_launch_s"),
            provenance(m),
            get<double>(m, "error", 0)};
  }

  [[nodiscard]] EnergyPoint energy(const toml::table& s) const {
    return {get<std::string>(s, "kernel", ""), get<std::string>(s, "operation", ""),
            get<double>(s, "seconds", 0), get<double>(s, "joules", 0),
            get<double>(s, "watts", 0)};
  }

  [[nodiscard]] GemmSection gemm_section(const toml::table& s) const {
    GemmSection section;
    section.key = key(s);
    section.roofline = roofline(s);
    section.points_left_out = held_out(s, "points_left_out");
    return section;
  }

  [[nodiscard]] AttentionSection attention(const toml::table& s) const {
    AttentionSection section;
    const auto op = get<std::string>(s, "op", "");
    const auto* const found =
        std::find(std::begin(kAttentionOpNames), std::end(kAttentionOpNames), op);
    if (found == std::end(kAttentionOpNames)) {
      fault(s, fmt::format("unknown op '{}'", op), "decode, prefill, mla_decode, ...");
    } else {
      section.op = static_cast<AttentionOp>(found - std::begin(kAttentionOpNames));
    }
    section.key = key(s);
    section.roofline = roofline(s);
    section.points_left_out = held_out(s, "points_left_out");
    return section;
  }

  [[nodiscard]] ExchangeCurve exchange(const toml::table& s) const {
    ExchangeCurve curve{get<std::string>(s, "engine", ""),
                        get<std::string>(s, "version", ""),
                        get<std::string>(s, "kernel", ""),
                        static_cast<int>(get<std::int64_t>(s, "ranks", 0)),
                        get<std::string>(s, "pattern", ""),
                        numbers(s, "bytes"),
                        numbers(s, "seconds")};
    if (curve.bytes.empty() || curve.bytes.size() != curve.seconds.size()) {
      fault(s, "an all_to_all has not one time for each of its sizes", "lists of one length");
    }
    return curve;
  }

  // A list of positive numbers.
  [[nodiscard]] std::vector<double> numbers(const toml::table& s, std::string_view key) const {
    std::vector<double> out;
    const auto* list = s[key].as_array();
    if (list == nullptr) return out;
    for (const auto& item : *list) {
      const double value = item.value_or(0.0);
      if (value > 0 && std::isfinite(value)) {
        out.push_back(value);
      } else {
        fault(item, fmt::format("a number of '{}' is {}", key, value), "positive numbers");
      }
    }
    return out;
  }

  [[nodiscard]] TunedShapes tuned(const toml::table& s) const {
    TunedShapes shapes;
    const toml::node* given = s.get("tuned");
    if (given == nullptr) return shapes;
    const auto* list = given->as_array();
    if (list == nullptr) {
      fault(*given, "'tuned' is no list", "[[experts, width], ...]");
      return shapes;
    }
    for (const auto& item : *list) {
      const auto* pair = item.as_array();
      const bool whole = pair != nullptr && pair->size() == 2;
      const int experts = whole ? (*pair)[0].value_or(0) : 0;
      const int width = whole ? (*pair)[1].value_or(0) : 0;
      if (experts >= 1 && width >= 1) {
        shapes.emplace(experts, width);
      } else {
        fault(item, "a line of 'tuned' is no shape", "[experts, width]");
      }
    }
    return shapes;
  }

  [[nodiscard]] ExpertSection expert_section(const toml::table& s) const {
    ExpertSection section;
    section.key = key(s);
    section.gated = get<bool>(s, "gated", true);
    section.roofline = roofline(s);
    section.metric = get<std::string>(s, "metric", "");
    if (!section.metric.empty() && section.metric != residual_metric().name) {
      fault(s, fmt::format("unknown metric '{}'", section.metric),
            "one that this version knows; fit the profile again");
    }
    if (const auto* list = s["skew"].as_array()) {
      for (const auto& item : *list) {
        const auto* point = item.as_array();
        if (point == nullptr || point->size() != 3) continue;
        section.skew.push_back(
            {(*point)[0].value_or(0.0), (*point)[1].value_or(0.0), (*point)[2].value_or(0.0)});
      }
    }
    section.tuned = tuned(s);
    section.shapes_left_out = held_out(s, "shapes_left_out");
    section.all_left_out = held_out(s, "all_left_out");
    section.points_left_out = held_out(s, "points_left_out");
    return section;
  }

  std::string file_;
  Diagnostics& wrong_;
};

toml::table parse(const std::filesystem::path& path) {
  try {
    return toml::parse(read_file(path), path.string());
  } catch (const toml::parse_error& problem) {
    const auto& where = problem.source().begin;
    throw InputError(
        {{Severity::error,
          {path.string(), static_cast<int>(where.line), static_cast<int>(where.column), ""},
          fmt::format("this profile is damaged: {}", problem.description()),
          "TOML as `moesim calibrate fit` writes it",
          ""}});
  }
}

}  // namespace

Profile read_profile(const std::filesystem::path& path) {
  const toml::table table = parse(path);
  Diagnostics wrong;
  const TomlReader reader(path.string(), wrong);
  Profile profile;
  profile.schema = table["schema"].value_or(0);
  if (profile.schema != kProfileSchema) {
    const toml::node* at = table.get("schema");
    reader.fault(at != nullptr ? *at : table,
                 fmt::format("this profile has schema {}", profile.schema),
                 fmt::format("schema {}; fit it again with this version", kProfileSchema));
    wrong.throw_if_errors();
  }
  reader.read(table, profile);
  const auto beside = path.parent_path() /
                      reader.get<std::string>(table, "curves", path.stem().string() + ".csv");
  read_curves(beside, reader.get<std::int64_t>(table, "curve_lines", 0), profile, wrong);
  wrong.throw_if_errors();
  return profile;
}

}  // namespace moesim
