#include "calibrate/fit_attention.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "calibrate/expert_points.hpp"
#include "calibrate/fit_roofline.hpp"

namespace moesim {

namespace {

// No attention kernel takes longer to start; what a fit finds beyond it is the host's.
constexpr double kLongestStart = 20e-6;

// Lengths beyond so many windows are no knots.
constexpr double kWindows = 16;

// Those of `wanted` that were measured, and both ends of what was, up to `longest`.
std::vector<double> knots(const std::set<double>& measured,
                          std::initializer_list<double> wanted, double longest = HUGE_VAL) {
  std::set<double> out{*measured.begin(), *measured.rbegin()};
  for (const double value : wanted) {
    if (measured.contains(value) && value <= longest) out.insert(value);
  }
  return {out.begin(), out.end()};
}

using Times = std::map<std::pair<double, double>, std::vector<double>>;  // (batch, tokens)

AttentionCurveData thin(const HeadConfig& config, const Times& times) {
  std::set<double> batch, tokens;
  for (const auto& [at, seconds] : times) {
    batch.insert(at.first);
    tokens.insert(at.second);
  }
  AttentionCurveData curve{
      config.heads, config.kv_heads, config.head_dim, config.window, {}, {}, {}};
  curve.batch = knots(batch, {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024});
  // Far beyond its window a kernel's time depends on the length no more, or by the roofline.
  const double longest = config.window > 0 ? kWindows * config.window : HUGE_VAL;
  curve.tokens =
      knots(tokens, {1, 2, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 131072},
            longest);
  for (const double b : curve.batch) {
    for (const double t : curve.tokens) {
      const auto found = times.find({b, t});
      curve.seconds.push_back(found == times.end() ? NAN : quantile(found->second, 0.5));
    }
  }
  return curve;
}

// Kept in the profile; other head counts are held out, and served by the nearest of these.
bool keep(const HeadConfig& config) {
  return std::has_single_bit(static_cast<unsigned>(config.heads));
}

}  // namespace

bool is_attention_table(const Table& table) {
  return (table.has("num_heads") && table.has("batch_size") && table.has("isl")) ||
         table.has("bmm_dtype");
}

std::vector<AttentionRow> read_attention_rows(const Table& table, const std::string& gpu) {
  const bool bmm = table.has("bmm_dtype");
  const bool mla = table.has("mla_dtype");
  const int system = table.column("system"), framework = table.column("framework"),
            version = table.column("version"), kernel = table.column("kernel_source"),
            heads = table.column("num_heads"), latency = table.column("latency"),
            dtype = table.column(bmm ? "bmm_dtype" : "kv_cache_dtype");
  const int batch = bmm ? -1 : table.column("batch_size"), isl = bmm ? -1 : table.column("isl"),
            step = bmm ? -1 : table.column("step");
  const int tokens = bmm ? table.column("num_tokens") : -1;
  const int kv_heads = bmm || mla ? -1 : table.column("num_key_value_heads"),
            head_dim = bmm || mla ? -1 : table.column("head_dim");
  const int window = table.has("window_size") ? table.column("window_size") : -1;
  std::vector<AttentionRow> rows;
  Diagnostics wrong;
  for (int i = 0; i < table.rows(); ++i) {
    const auto device = find_device(table.text(i, system));
    if (!device || device->name != gpu) continue;
    AttentionRow row;
    row.place = table.place(i);
    row.key = {std::string(table.text(i, framework)), std::string(table.text(i, version)),
               std::string(table.text(i, kernel)),
               table_dtype(table.text(i, dtype), row.place)};
    row.config.heads = static_cast<int>(table.number(i, heads));
    if (!bmm && !mla) {
      row.config.kv_heads = static_cast<int>(table.number(i, kv_heads));
      row.config.head_dim = static_cast<int>(table.number(i, head_dim));
    }
    if (window >= 0) row.config.window = static_cast<int>(table.number(i, window));
    row.seconds = table.number(i, latency) * 1e-3;
    if (bmm) {
      row.op = AttentionOp::mla_bmm;
      row.batch = 1;
      row.tokens = table.number(i, tokens);
    } else {
      const double cached = table.number(i, step);
      const bool decode = cached > 0;
      row.op = mla ? (decode ? AttentionOp::mla_decode : AttentionOp::mla_prefill)
                   : (decode ? AttentionOp::decode : AttentionOp::prefill);
      row.batch = table.number(i, batch);
      row.tokens = table.number(i, isl) + cached;
      if (decode) row.tokens = cached + 1;
    }
    if (row.config.heads > 0 && row.batch > 0 && row.tokens > 0 && row.seconds > 0 &&
        std::isfinite(row.seconds)) {
      rows.push_back(std::move(row));
    } else {
      wrong.error(row.place, "a size or time of this row is no positive number",
                  "heads, batch, tokens and latency above zero");
    }
  }
  wrong.throw_if_errors();
  return rows;
}

namespace {

// Every inner batch size of a curve predicted from those on both sides.
std::vector<HeldOutPoint> leave_batches_out(const AttentionSection& section,
                                            const Device& device) {
  std::vector<HeldOutPoint> held;
  AttentionSection rest;
  rest.op = section.op;
  rest.key = section.key;
  rest.roofline = section.roofline;
  for (const AttentionCurveData& curve : section.curves) {
    const std::size_t lengths = curve.tokens.size();
    for (std::size_t b = 1; b + 1 < curve.batch.size(); ++b) {
      rest.curves = {curve};
      AttentionCurveData& left = rest.curves.front();
      const auto first = static_cast<std::ptrdiff_t>(b * lengths);
      const auto last = static_cast<std::ptrdiff_t>((b + 1) * lengths);
      left.batch.erase(left.batch.begin() + static_cast<std::ptrdiff_t>(b));
      left.seconds.erase(left.seconds.begin() + first, left.seconds.begin() + last);
      const AttentionModel model(rest, config_of(curve), device);
      for (std::size_t t = 0; t < lengths; ++t) {
        const double seconds = curve.seconds[b * lengths + t];
        if (std::isnan(seconds)) continue;
        held.push_back({curve.batch[b] * curve.tokens[t],
                        model.predict(curve.batch[b], curve.tokens[t]), seconds});
      }
    }
  }
  return held;
}

AttentionSection fit_section(AttentionOp op, const KernelKey& key,
                             const std::map<HeadConfig, Times>& configs, const Device& device) {
  AttentionSection section;
  section.op = op;
  section.key = key;
  std::vector<RooflinePoint> points;
  std::size_t at = 0;
  for (const auto& [config, times] : configs) {
    for (const auto& [size, seconds] : times) {
      if (at++ % 4 != 0) continue;
      points.push_back({attention_work(op, config, key.dtype, size.first, size.second),
                        quantile(seconds, 0.5)});
    }
  }
  section.roofline = fit_roofline(points, peak_flops(device, Dtype::bf16).value,
                                  device.memory_bandwidth.value);
  section.roofline.fixed_s = std::min(section.roofline.fixed_s, kLongestStart);
  for (const auto& [config, times] : configs) {
    if (keep(config) || configs.size() < 4) section.curves.push_back(thin(config, times));
  }
  std::vector<HeldOutPoint> held = leave_batches_out(section, device);
  for (const auto& [config, times] : configs) {
    const AttentionModel model(section, config, device);
    const auto own = std::find_if(
        section.curves.begin(), section.curves.end(),
        [&, &config = config](const auto& curve) { return config_of(curve) == config; });
    for (const auto& [size, seconds] : times) {
      const bool kept = own != section.curves.end() &&
                        std::binary_search(own->batch.begin(), own->batch.end(), size.first) &&
                        std::binary_search(own->tokens.begin(), own->tokens.end(), size.second);
      if (kept) continue;
      held.push_back({size.first * size.second, model.predict(size.first, size.second),
                      quantile(seconds, 0.5)});
    }
  }
  section.points_left_out = summarize_held_out(
      "heads and lengths between the grid's knots, and one batch size left out at a time",
      held);
  return section;
}

}  // namespace

std::vector<AttentionSection> fit_attention_sections(const std::vector<AttentionRow>& rows,
                                                     const Device& device) {
  using SectionId = std::tuple<AttentionOp, std::string, std::string, std::string, Dtype>;
  std::map<SectionId, std::map<HeadConfig, Times>> groups;
  for (const AttentionRow& row : rows) {
    const SectionId id{row.op, row.key.engine, row.key.version, row.key.kernel, row.key.dtype};
    groups[id][row.config][{row.batch, row.tokens}].push_back(row.seconds);
  }
  std::vector<AttentionSection> sections;
  for (const auto& [id, configs] : groups) {
    const auto& [op, engine, version, kernel, dtype] = id;
    sections.push_back(fit_section(op, {engine, version, kernel, dtype}, configs, device));
  }
  return sections;
}

bool AttentionCurveData::operator==(const AttentionCurveData& other) const {
  return heads == other.heads && kv_heads == other.kv_heads && head_dim == other.head_dim &&
         window == other.window && batch == other.batch && tokens == other.tokens &&
         std::equal(
             seconds.begin(), seconds.end(), other.seconds.begin(), other.seconds.end(),
             [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); });
}

}  // namespace moesim
