#include "calibrate/expert_points.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace moesim {

namespace {

// The benchmark's router scores left the limited groups of a token no choice: 128 of 256.
constexpr std::string_view kHalfActive = "DSV3_GROUPED_TOPK_HALF_ACTIVE";

// A grouped GEMM's widest tile in rows and columns, and the multiprocessors of an H100: other
// GPUs have 108 to 148, which only moves where waves stop to count.
constexpr double kWidestTile = 128;
constexpr double kMultiprocessors = 132;

// log2 of the tiles of `experts` GEMMs of `rows` x `columns` per multiprocessor, within 2^-4
// (the GPU is empty) to 2^4 (the last wave does not matter).
double log2_waves(double experts, double rows, double columns) {
  const double tiles =
      experts * std::ceil(rows / kWidestTile) * std::ceil(columns / kWidestTile);
  return std::clamp(std::log2(tiles / kMultiprocessors), -4.0, 4.0);
}

}  // namespace

ExpertShapeCurve shape_of(const ExpertRow& row) {
  ExpertShapeCurve curve;
  curve.hidden = row.hidden;
  curve.intermediate = row.intermediate / row.slices;
  curve.experts = std::max(1, row.experts / row.parallel);
  curve.top_k = row.top_k;
  curve.parallel = row.parallel;
  curve.slices = row.slices;
  curve.most_active = row.most_active;
  return curve;
}

double reached_share(const ExpertShapeCurve& curve) {
  return curve.most_active > 0 ? static_cast<double>(curve.most_active) / curve.experts : 1;
}

ExpertPoint even_point(const ExpertShapeCurve& curve, double tokens, double seconds) {
  ExpertPoint point;
  point.assignments = std::max(1.0, tokens * curve.top_k / curve.parallel);
  const double could = std::min<double>(curve.experts, point.assignments);
  point.active =
      std::clamp(reached_share(curve) * could, std::min<double>(curve.top_k, could), could);
  point.hidden = curve.hidden;
  point.intermediate = curve.intermediate;
  point.experts = curve.experts;
  point.top_k = curve.top_k;
  point.seconds = seconds;
  return point;
}

RooflineWork work_of(const ExpertPoint& point, Dtype dtype, bool gated) {
  return expert_work(point.assignments, point.active, point.hidden, point.intermediate,
                     info(dtype).weight_bytes, info(dtype).activation_bytes, gated);
}

Features features_of(const ExpertPoint& point, const TunedShapes& tuned) {
  const double rows = point.assignments / point.active;
  const bool is_tuned =
      tuned.contains({static_cast<int>(point.experts), static_cast<int>(point.intermediate)});
  const bool crowded = !is_tuned && point.assignments > point.experts * point.top_k;
  const double tile = std::clamp(std::exp2(std::ceil(std::log2(rows))), 8.0, kWidestTile);
  const double tiles = std::ceil(rows / tile);
  return {std::log2(rows),
          std::log2(point.active),
          std::log2(point.hidden),
          std::log2(point.intermediate),
          std::log2(point.experts),
          std::log2(point.top_k),
          crowded ? 1.0 : 0.0,
          log2_waves(point.active, rows, 2 * point.intermediate),
          log2_waves(point.active, rows, point.hidden),
          std::log2(tiles),
          std::log2(tiles * tile / rows),
          is_tuned ? 1.0 : 0.0};
}

Dtype table_dtype(std::string_view name, const Place& place) {
  constexpr std::array<std::pair<std::string_view, Dtype>, 9> kNames{{
      {"bfloat16", Dtype::bf16},
      {"float16", Dtype::bf16},
      {"fp8", Dtype::fp8},
      {"fp8_block", Dtype::fp8_block},
      {"nvfp4", Dtype::fp4},
      {"int4_wo", Dtype::int4},
      {"w4a16_mxfp4", Dtype::mxfp4},
      {"w4a8_mxfp4_mxfp8", Dtype::w4a8},
      {"int8_wo", Dtype::int8},
  }};
  for (const auto& [known, dtype] : kNames) {
    if (known == name) return dtype;
  }
  if (const auto dtype = parse_dtype(name)) return *dtype;
  throw InputError({{Severity::error, place, fmt::format("unknown number format '{}'", name),
                     "bfloat16, fp8, fp8_block, nvfp4, int4_wo, w4a16_mxfp4, ...", ""}});
}

std::vector<ExpertRow> read_expert_rows(const Table& table, const std::string& gpu) {
  const int system = table.column("system"), framework = table.column("framework"),
            version = table.column("version"), kernel = table.column("kernel_source"),
            dtype = table.column("moe_dtype"), tokens = table.column("num_tokens"),
            hidden = table.column("hidden_size"), inter = table.column("inter_size"),
            top_k = table.column("topk"), experts = table.column("num_experts"),
            slices = table.column("moe_tp_size"), parallel = table.column("moe_ep_size"),
            distribution = table.column("distribution"), latency = table.column("latency"),
            flag = table.has("flag") ? table.column("flag") : -1,
            active = table.has("active_experts") ? table.column("active_experts") : -1,
            loaded = table.has("most_loaded") ? table.column("most_loaded") : -1;
  std::vector<ExpertRow> rows;
  Diagnostics wrong;
  for (int i = 0; i < table.rows(); ++i) {
    const auto device = find_device(table.text(i, system));
    if (!device || device->name != gpu) continue;
    std::array<double, 8> number{};
    const std::array<int, 8> columns{tokens,  hidden, inter,    top_k,
                                     experts, slices, parallel, latency};
    bool whole = true;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      number[c] = table.number(i, columns[c]);
      const double least = columns[c] == latency ? 0 : 1;
      if (!(number[c] > 0 && number[c] >= least) || !std::isfinite(number[c])) {
        wrong.error(table.place(i),
                    fmt::format("'{}' is no time or size", table.text(i, columns[c])),
                    "a positive number");
        whole = false;
      }
    }
    if (whole && (number[3] > number[4] || std::fmod(number[4], number[6]) != 0)) {
      wrong.error(table.place(i),
                  fmt::format("{:g} of {:g} experts per token over {:g} GPUs", number[3],
                              number[4], number[6]),
                  "topk <= num_experts, and moe_ep_size a divisor of num_experts");
      whole = false;
    }
    if (!whole) continue;
    ExpertRow row;
    row.key = {std::string(table.text(i, framework)), std::string(table.text(i, version)),
               std::string(table.text(i, kernel)),
               table_dtype(table.text(i, dtype), table.place(i))};
    row.distribution = table.text(i, distribution);
    if (row.distribution == "uniform") row.distribution = "balanced";
    row.flag = flag < 0 ? "ok" : std::string(table.text(i, flag));
    const bool half = row.flag == kHalfActive && row.distribution == "balanced";
    row.gated = row.flag != "NONGATED_2MAT";
    row.tokens = number[0];
    row.hidden = static_cast<int>(number[1]);
    row.intermediate = static_cast<int>(number[2]);
    row.top_k = static_cast<int>(number[3]);
    row.experts = static_cast<int>(number[4]);
    row.slices = static_cast<int>(number[5]);
    row.parallel = static_cast<int>(number[6]);
    row.seconds = number[7] * 1e-3;
    if (half) row.most_active = std::max(1, row.experts / row.parallel / 2);
    row.place = table.place(i);
    if (active >= 0 && loaded >= 0) {
      row.active = table.number(i, active);
      row.most_loaded = table.number(i, loaded);
    }
    rows.push_back(std::move(row));
  }
  wrong.throw_if_errors();
  return rows;
}

std::string impossible(const ExpertRow& row, const Device& device) {
  const ExpertPoint point = even_point(shape_of(row), row.tokens, row.seconds);
  const RooflineWork work = work_of(point, row.key.dtype, row.gated);
  const double flops = peak_flops(device, row.key.dtype).value;
  if (work.flops / row.seconds > flops) {
    return fmt::format("{:.0f} Tflops/s, above the peak of {:.0f}",
                       work.flops / row.seconds / 1e12, flops / 1e12);
  }
  if (row.distribution != "balanced") return "";
  // What the L2 cache holds from the run before need not come from memory.
  const double read = work.weight_bytes - device.l2_cache.value;
  if (read / row.seconds > device.memory_bandwidth.value) {
    return fmt::format("reads its weights at {:.2f} TB/s, above the peak of {:.2f}",
                       read / row.seconds / 1e12, device.memory_bandwidth.value / 1e12);
  }
  return "";
}

bool usable_flag(const ExpertRow& row) {
  return row.flag == "ok" || row.flag == "DSV3_OLDER_VERSION" || row.flag == "NONGATED_2MAT" ||
         row.flag.empty() || row.most_active > 0;
}

}  // namespace moesim
