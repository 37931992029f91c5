#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "calibrate/devices.hpp"
#include "calibrate/profile_io.hpp"
#include "calibrate/residuals.hpp"
#include "calibrate/table.hpp"
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
    p.gpu = get<std::string>(t, "gpu", "");
    p.engine = get<std::string>(t, "engine", "");
    p.provenance = provenance(t);
    p.sources = strings(t, "sources");
    p.notes = strings(t, "notes");
    if (!find_device(p.gpu)) {
      std::string known;
      for (const Device& d : devices())
        known += (known.empty() ? "" : ", ") + std::string(d.name);
      const toml::node* at = t.get("gpu");
      fault(at != nullptr ? *at : t, fmt::format("unknown GPU '{}'", p.gpu), known);
    }
    if (const auto* h = t["host"].as_table()) {
      p.host = {Seconds{get<double>(*h, "per_step_s", 0)},
                Seconds{get<double>(*h, "per_sequence_s", 0)},
                Seconds{get<double>(*h, "per_layer_s", 0)},
                Seconds{get<double>(*h, "per_prompt_token_s", 0)},
                Seconds{get<double>(*h, "per_request_s", 0)},
                Seconds{get<double>(*h, "per_request_layer_s", 0)},
                provenance(*h),
                get<double>(*h, "error", 0)};
    }
    if (const auto* m = t["memory"].as_table()) {
      p.memory = {
          Seconds{get<double>(*m, "launch_s", 0)},
          get<double>(*m, "bandwidth", 1),
          Seconds{m->contains("graph_node_s") ? get<double>(*m, "graph_node_s", 0) : 0},
          Seconds{m->contains("stream_launch_s") ? get<double>(*m, "stream_launch_s", 0) : 0},
          provenance(*m),
          get<double>(*m, "error", 0)};
    }
    each(t, "all_to_all", [&](const toml::table& s) { p.exchanges.push_back(exchange(s)); });
    each(t, "energy", [&](const toml::table& s) {
      p.energy.push_back({get<std::string>(s, "kernel", ""),
                          get<std::string>(s, "operation", ""), get<double>(s, "seconds", 0),
                          get<double>(s, "joules", 0), get<double>(s, "watts", 0)});
    });
    each(t, "experts", [&](const toml::table& s) { p.experts.push_back(expert_section(s)); });
    each(t, "gemm", [&](const toml::table& s) {
      GemmSection section;
      section.key = key(s);
      section.roofline = roofline(s);
      section.points_left_out = held_out(s, "points_left_out");
      p.gemms.push_back(std::move(section));
    });
    each(t, "attention", [&](const toml::table& s) {
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
      p.attention.push_back(std::move(section));
    });
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

  [[nodiscard]] ExpertSection expert_section(const toml::table& s) const {
    ExpertSection section;
    section.key = key(s);
    section.gated = get<bool>(s, "gated", true);
    section.roofline = roofline(s);
    section.metric = get<std::string>(s, "metric", "");
    if (!section.metric.empty() && find_residual_metric(section.metric) == nullptr) {
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
    section.shapes_left_out = held_out(s, "shapes_left_out");
    section.points_left_out = held_out(s, "points_left_out");
    return section;
  }

  std::string file_;
  Diagnostics& wrong_;
};

// Reads the CSV half into the sections that the TOML half announced.
class CurveReader {
 public:
  CurveReader(std::string file, Profile& profile, Diagnostics& wrong)
      : file_(std::move(file)), profile_(profile), wrong_(wrong) {}

  // Lines with content, comments apart.
  int read(const std::string& text) {
    int number = 0, lines = 0;
    std::string_view rest = text;
    while (!rest.empty()) {
      ++number;
      const auto end = rest.find('\n');
      line_ = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      if (line_.empty() || line_.front() == '#') continue;
      ++lines;
      number_ = number;
      read_line();
    }
    return lines;
  }

  [[nodiscard]] int last_line() const { return number_; }

 private:
  void fault(std::string message, std::string expected) {
    wrong_.error({file_, number_, 1, std::string(line_.substr(0, 60))}, std::move(message),
                 std::move(expected));
  }

  void read_line() {
    const auto cells = split(line_, ',');
    if (cells[0] == "axis" && cells.size() == 3) {
      axes_[std::string(cells[1])] = values(cells[2], 1);
    } else if (cells[0] == "experts" && cells.size() == 12) {
      read_experts(cells);
    } else if (cells[0] == "gemm" && cells.size() == 7) {
      read_gemm(cells);
    } else if (cells[0] == "attention" && cells.size() == 9) {
      read_attention(cells);
    } else {
      fault("this is no line of a profile", "axis, experts, gemm or attention, whole");
    }
  }

  // Numbers above zero; '-' is NaN where `scale` is that of times.
  std::vector<double> values(std::string_view text, double scale) {
    std::vector<double> out;
    for (const std::string_view word : split(text, ' ')) {
      const bool missing = word == "-" && scale != 1;
      const double value = missing ? NAN : parse_number(word) * scale;
      if (!missing && !(value > 0 && std::isfinite(value))) {
        fault(fmt::format("'{}' is no time or size", word), "a positive number");
        return {};
      }
      out.push_back(value);
    }
    return out;
  }

  // "FIRST/STEP W W ..." of `size` points, see profile_write.cpp.
  std::vector<double> weights(std::string_view text, std::size_t size) {
    std::vector<double> out;
    if (text.empty()) return out;
    const auto words = split(text, ' ');
    const auto slash = words[0].find('/');
    auto at = static_cast<std::size_t>(integer(words[0].substr(0, slash)));
    const int step = slash == std::string_view::npos ? 0 : integer(words[0].substr(slash + 1));
    if (step < 1) {
      fault(fmt::format("'{}' does not say whose weights follow", words[0]), "FIRST/STEP");
      return out;
    }
    out.resize(size);
    for (std::size_t w = 1; w < words.size(); ++w, at += static_cast<std::size_t>(step)) {
      const double value = parse_number(words[w]);
      if (at < size && std::isfinite(value)) {
        out[at] = value / kWeightUnits;
        continue;
      }
      fault(fmt::format("'{}' is no weight of a point", words[w]),
            fmt::format("finite numbers for at most {} points", size));
      return {};
    }
    return out;
  }

  const std::vector<double>& axis(std::string_view name) {
    const auto found = axes_.find(std::string(name.substr(name.starts_with('@') ? 1 : 0)));
    if (found != axes_.end() && !found->second.empty()) return found->second;
    fault(fmt::format("axis '{}' was not given before", name), "an axis line above");
    static const std::vector<double> one{1};
    return one;
  }

  int integer(std::string_view text) {
    const double value = parse_number(text);
    if (value >= 0 && value < 1e9) return static_cast<int>(value);
    fault(fmt::format("'{}' is no size", text), "a whole number");
    return 0;
  }

  template <class Section>
  Section* section(std::vector<Section>& list, std::string_view index) {
    const auto i = static_cast<std::size_t>(integer(index));
    if (i < list.size()) return &list[i];
    fault(fmt::format("section {} is not in the .toml file", index),
          "the pair of files as written");
    return nullptr;
  }

  bool counted(std::size_t have, std::size_t want) {
    if (have == want) return true;
    fault(fmt::format("{} times are here", have), fmt::format("{}", want));
    return false;
  }

  void read_experts(const std::vector<std::string_view>& cells) {
    ExpertSection* s = section(profile_.experts, cells[1]);
    ExpertShapeCurve c;
    c.hidden = integer(cells[2]);
    c.intermediate = integer(cells[3]);
    const auto colon = cells[4].find(':');
    c.experts = integer(cells[4].substr(0, colon));
    if (colon != std::string_view::npos) c.most_active = integer(cells[4].substr(colon + 1));
    c.top_k = integer(cells[5]);
    c.parallel = integer(cells[6]);
    c.slices = integer(cells[7]);
    c.version = cells[8];
    c.tokens = axis(cells[9]);
    c.seconds = values(cells[10], 1e-6);
    c.weights = weights(cells[11], c.tokens.size());
    if (std::min({c.hidden, c.intermediate, c.experts, c.top_k, c.parallel, c.slices}) < 1 ||
        c.most_active > c.experts) {
      fault("a size of this shape is zero or beyond the whole", "positive sizes");
      return;
    }
    if (s != nullptr && counted(c.seconds.size(), c.tokens.size())) s->curves.push_back(c);
  }

  void read_gemm(const std::vector<std::string_view>& cells) {
    GemmSection* s = section(profile_.gemms, cells[1]);
    if (s == nullptr) return;
    s->m = axis(cells[2]);
    s->n = axis(cells[3]);
    s->k = axis(cells[4]);
    const auto plane = values(cells[6], 1e-6);
    if (!counted(plane.size(), s->n.size() * s->k.size())) return;
    s->seconds.insert(s->seconds.end(), plane.begin(), plane.end());
  }

  void read_attention(const std::vector<std::string_view>& cells) {
    AttentionSection* s = section(profile_.attention, cells[1]);
    AttentionCurveData c;
    c.heads = integer(cells[2]);
    c.kv_heads = integer(cells[3]);
    c.head_dim = integer(cells[4]);
    c.window = integer(cells[5]);
    c.batch = axis(cells[6]);
    c.tokens = axis(cells[7]);
    c.seconds = values(cells[8], 1e-6);
    if (s != nullptr && counted(c.seconds.size(), c.batch.size() * c.tokens.size())) {
      s->curves.push_back(c);
    }
  }

  std::string file_;
  Profile& profile_;
  Diagnostics& wrong_;
  std::map<std::string, std::vector<double>> axes_;
  std::string_view line_;
  int number_ = 0;
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
  CurveReader curves(beside.string(), profile, wrong);
  const int lines = curves.read(read_file(beside));
  const auto announced = reader.get<std::int64_t>(table, "curve_lines", 0);
  if (lines != announced) {
    wrong.error({beside.string(), curves.last_line(), 0, ""},
                fmt::format("{} curves are here", lines),
                fmt::format("{}, as the .toml file says", announced),
                "the file is truncated or of another profile");
  }
  for (const GemmSection& s : profile.gemms) {
    if (s.seconds.size() != s.m.size() * s.n.size() * s.k.size()) {
      wrong.error({beside.string(), 0, 0, ""}, "a GEMM grid is not whole",
                  "one line for each of its m");
    }
  }
  wrong.throw_if_errors();
  return profile;
}

}  // namespace moesim
