#include "tools/walk/dense.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/base/diagnostics.hpp"
#include "sim/scenario/validate.hpp"
#include "sim/serving/memory.hpp"
#include "sim/serving/parallelism.hpp"

namespace moesim {

namespace {

// Parameters are linear in the FFN's width, so two shapes give the width for any number.
ModelShape dense_of(const ModelShape& moe, double params) {
  ModelShape dense = moe;
  dense.experts = dense.top_k = dense.moe_intermediate = dense.shared_intermediate = 0;
  dense.expert_groups = dense.top_groups = dense.moe_period = 1;
  dense.dense_layers = dense.layers;
  dense.ffn_weights.reset();  // the dense FFNs stand for the experts: in their format
  dense.official_total_params = dense.official_active_params = 0;
  dense.dense_intermediate = 1;
  const double one = total_params(dense);
  dense.dense_intermediate = 2;
  const double slope = total_params(dense) - one;
  const double width = 1 + (params - one) / slope;
  dense.dense_intermediate = std::max(64, 64 * static_cast<int>(std::lround(width / 64)));
  return dense;
}

ModelShape dense_model(const ModelShape& moe, const std::string& which) {
  if (which != "active" && which != "total") {
    ModelShape model = read_model(which);
    if (model.experts > 0) {
      throw InputError(fmt::format("'{}' is no dense model", which),
                       "active, total or a dense "
                       "preset such as llama-3.3-70b");
    }
    model.weights = moe.weights;
    model.ffn_weights.reset();
    model.kv_cache = moe.kv_cache;
    return model;
  }
  ModelShape dense = dense_of(moe, which == "active" ? active_params(moe) : total_params(moe));
  dense.name = fmt::format("dense, {} parameters of {}", which, moe.name);
  return dense;
}

bool fits(const Scenario& s, int gpus, Bytes memory) {
  const Parallelism parallel = resolve_parallelism(s.serving, gpus);
  const MemoryPlan plan = plan_memory(s.model, parallel, s.serving, 0, memory);
  const double request = s.traffic.input_tokens.mean.value + s.traffic.output_tokens.mean.value;
  return static_cast<double>(plan.kv_tokens) >= request;
}

void row(std::string& out, const char* name, double moe, double dense, const char* unit) {
  const std::string ratio = dense > 0 ? fmt::format("{:.2f}", moe / dense) : "-";
  out += fmt::format("  {:<26}{:>14.4g}{:>14.4g}{:>10}  {}\n", name, moe, dense, ratio, unit);
}

}  // namespace

Scenario dense_counterpart(const Scenario& scenario, const std::string& which) {
  Scenario dense = scenario;
  dense.model = dense_model(scenario.model, which);
  dense.placement = {};
  dense.router = {};
  dense.serving.mode = ServingMode::aggregated;
  dense.serving.ep = 0;
  dense.serving.dp = 1;
  dense.serving.pp = 1;
  const int gpus = static_cast<int>(gpu_count(scenario.cluster));
  const auto kinds = node_kinds(scenario.cluster);
  Bytes memory = kinds.front().gpu.memory;
  for (const NodeKind& kind : kinds) memory = std::min(memory, kind.gpu.memory);
  for (int tp = scenario.serving.tp; tp <= gpus; ++tp) {
    if (gpus % tp != 0 || dense.model.attention.heads % tp != 0) continue;
    dense.serving.tp = tp;
    dense.serving.instances = gpus / tp;
    if (fits(dense, gpus, memory)) return dense;
  }
  throw InputError(
      fmt::format("{} does not fit on {} GPUs, however it is divided", dense.model.name, gpus),
      "more GPUs, a smaller number format, or --dense active");
}

std::string compare_with_dense(const Result& moe, const Result& dense) {
  std::string out = fmt::format("\n{} beside {}\n  {:<26}{:>14}{:>14}{:>10}\n", moe.model,
                                dense.model, "", "MoE", "dense", "ratio");
  for (const MetricId id : {MetricId::ttft, MetricId::tpot}) {
    const MetricSummary* a = moe.summary.find(id);
    const MetricSummary* b = dense.summary.find(id);
    if (a == nullptr || b == nullptr) continue;
    const std::string header(metric(id).header);
    row(out, (header + " p50").c_str(), 1e3 * a->p50, 1e3 * b->p50, "ms");
    row(out, (header + " p99").c_str(), 1e3 * a->p99, 1e3 * b->p99, "ms");
  }
  row(out, "output tokens", moe.summary.throughput.output_tokens.value,
      dense.summary.throughput.output_tokens.value, "tokens/s");
  row(out, "GPU utilization", 100 * moe.utilization.gpu, 100 * dense.utilization.gpu, "%");
  row(out, "achieved flops", 100 * moe.utilization.achieved_flops,
      100 * dense.utilization.achieved_flops, "% of peak");
  row(out, "weights per GPU", moe.memory.weights.value / 1e9, dense.memory.weights.value / 1e9,
      "GB");
  row(out, "price per million output", moe.cost.per_million_output_tokens.value,
      dense.cost.per_million_output_tokens.value, "$");
  row(out, "energy per output token", moe.cost.energy_per_token.value,
      dense.cost.energy_per_token.value, "J");
  return out;
}

}  // namespace moesim
