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

constexpr int kMlaRank = 512, kMlaRope = 64, kMlaNope = 128, kMlaValue = 128;

HeadConfig config_of(const AttentionCurveData& curve) {
  return {curve.heads, curve.kv_heads, curve.head_dim, curve.window};
}

// Pairs of (query, key) of a causal prompt, each query seeing at most `window` keys.
double causal_pairs(double tokens, double window) {
  if (window <= 0 || tokens <= window) return tokens * (tokens + 1) / 2;
  return window * (window + 1) / 2 + (tokens - window) * window;
}

double roofline_of(const Roofline& fit, AttentionOp op, const HeadConfig& config,
                   Dtype kv_cache, double batch, double tokens, double flops,
                   double bandwidth) {
  return roofline_time(fit, attention_work(op, config, kv_cache, batch, tokens), flops,
                       bandwidth);
}

// How unlike two head configurations are; windows only match windows.
double unlikeness(const HeadConfig& a, const HeadConfig& b) {
  const auto apart = [](double x, double y) {
    return std::abs(std::log2((x + 0.5) / (y + 0.5)));
  };
  return apart(a.heads, b.heads) + apart(a.kv_heads, b.kv_heads) +
         2 * apart(a.head_dim, b.head_dim) + ((a.window > 0) != (b.window > 0) ? 8 : 0) +
         0.1 * apart(a.window, b.window);
}

std::vector<double> knots(const std::set<double>& measured,
                          std::initializer_list<double> wanted) {
  std::set<double> out{*measured.begin(), *measured.rbegin()};
  for (const double value : wanted) {
    if (measured.contains(value)) out.insert(value);
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
  curve.batch = knots(batch, {1, 4, 16, 64, 256, 1024});
  curve.tokens = knots(
      tokens, {1, 2, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 131072});
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

RooflineWork attention_work(AttentionOp op, const HeadConfig& config, Dtype kv_cache,
                            double batch, double tokens) {
  const double bytes = info(kv_cache).weight_bytes;
  const double seen = config.window > 0 ? std::min<double>(tokens, config.window) : tokens;
  const double width = static_cast<double>(config.heads) * config.head_dim;
  const double kv_width = 2.0 * config.kv_heads * config.head_dim;
  RooflineWork work;
  switch (op) {
    case AttentionOp::decode:
      // One tile of keys at least.
      work = {4 * batch * seen * width, batch * (seen + 64) * kv_width * bytes,
              batch * width * 4, batch * std::max(1, config.kv_heads)};
      break;
    case AttentionOp::prefill:
      work = {4 * batch * causal_pairs(tokens, config.window) * width,
              batch * tokens * kv_width * bytes, batch * tokens * width * 4, tokens};
      break;
    case AttentionOp::mla_decode:
      work = {2.0 * batch * tokens * config.heads * (2 * kMlaRank + kMlaRope),
              batch * (tokens + 64) * (kMlaRank + kMlaRope) * bytes,
              batch * config.heads * kMlaRank * 4.0, batch};
      break;
    case AttentionOp::mla_prefill:
      work = {2 * batch * causal_pairs(tokens, 0) * config.heads *
                  (kMlaNope + kMlaRope + kMlaValue),
              batch * tokens * config.heads * (kMlaNope + kMlaRope + kMlaValue) * 2,
              batch * tokens * config.heads * (kMlaNope + kMlaValue) * 2.0, tokens};
      break;
    case AttentionOp::mla_bmm:
      work = {2 * tokens * config.heads * kMlaNope * kMlaRank,
              config.heads * static_cast<double>(kMlaNope * kMlaRank) * bytes,
              tokens * config.heads * (kMlaNope + kMlaRank) * 2.0, tokens};
      break;
  }
  return work;
}

AttentionModel::AttentionModel(const AttentionSection& section, const HeadConfig& config,
                               const Device& device)
    : op_(section.op),
      config_(config),
      kv_cache_(section.key.dtype),
      fit_(section.roofline),
      peak_flops_(peak_flops(device, Dtype::bf16).value),
      peak_bandwidth_(device.memory_bandwidth.value) {
  const AttentionCurveData* nearest = nullptr;
  double least = HUGE_VAL;
  for (const AttentionCurveData& curve : section.curves) {
    const double apart = unlikeness(config_of(curve), config);
    if (apart < least) {
      least = apart;
      nearest = &curve;
    }
  }
  if (nearest == nullptr) return;
  exact_ = least == 0;
  std::vector<double> ratios;
  for (const double batch : nearest->batch) {
    for (const double tokens : nearest->tokens) {
      const double model = roofline_of(fit_, op_, config_of(*nearest), kv_cache_, batch, tokens,
                                       peak_flops_, peak_bandwidth_);
      ratios.push_back(std::log(nearest->seconds[ratios.size()] / model));
    }
  }
  const double one = 1;
  grid_ = std::make_unique<RatioGrid>(nearest->batch, nearest->tokens,
                                      std::span<const double>(&one, 1), std::move(ratios));
}

double AttentionModel::predict(double batch, double tokens) const {
  const double model =
      roofline_of(fit_, op_, config_, kv_cache_, batch, tokens, peak_flops_, peak_bandwidth_);
  return grid_ ? model * std::exp(grid_->at(batch, tokens, 1)) : model;
}

namespace {

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
  std::vector<HeldOutPoint> held;
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
  section.points_left_out =
      summarize_held_out("the measured points and heads between the grid's knots", held);
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
