#include "tools/walk/collect_training.hpp"

#include <algorithm>

#include "tools/walk/collect_parts.hpp"
#include "tools/walk/series_parts.hpp"

namespace moesim {

namespace {

// Means over the steps.
TrainingStep mean_step(const TrainingRun& run) {
  TrainingStep mean;
  const double each = 1.0 / static_cast<double>(std::max<std::size_t>(1, run.steps().size()));
  for (const TrainingStep& step : run.steps()) {
    mean.time += each * step.time;
    mean.phases.add(step.phases, each);
    mean.forward += each * step.forward;
    mean.backward += each * step.backward;
    mean.recompute += each * step.recompute;
  }
  return mean;
}

TrainingResult training_result(const Scenario& scenario, const Cluster& cluster,
                               const TrainingRun& run) {
  const TrainingStep mean = mean_step(run);
  const TrainingLayout& layout = run.layout();
  TrainingResult t;
  t.step_time = mean.time;
  for (std::size_t p = 0; p < kTrainingPhases; ++p) {
    t.phases.push_back(
        {std::string(to_text(static_cast<TrainingPhase>(p))), Seconds{mean.phases.of[p]}});
  }
  t.passes = {{"forward", mean.forward},
              {"recompute", mean.recompute},
              {"backward", mean.backward},
              {"bubble", Seconds{mean.phases[TrainingPhase::bubble]}},
              {"gradients", Seconds{mean.phases[TrainingPhase::gradients]}},
              {"optimizer", Seconds{mean.phases[TrainingPhase::optimizer]}}};
  t.tokens_per_step = run.tokens_per_step();
  t.model_flops_per_token =
      training_flops_per_token(scenario.model, scenario.training.sequence);
  if (mean.time.value > 0) {
    t.tokens = TokensPerSecond{t.tokens_per_step / mean.time.value};
    t.tokens_per_gpu = t.tokens / layout.gpus;
    const double peak = peak_flops(cluster, scenario.model.weights).value;
    if (peak > 0) t.mfu = t.model_flops_per_token.value * t.tokens.value / peak;
    t.bubble_share = mean.phases[TrainingPhase::bubble] / mean.time.value;
  }
  t.bubble_ideal =
      static_cast<double>(layout.stages - 1) / (layout.micro_batches + layout.stages - 1);
  t.micro_batches = layout.micro_batches;
  t.stages = layout.stages;
  t.dp = layout.dp;
  t.tp = layout.tp;
  t.ep = layout.ep;
  t.replicas = layout.replicas;
  const TrainingMemory& memory = run.memory();
  t.fullest_stage = memory.stage;
  t.weights = memory.weights;
  t.gradients = memory.gradients;
  t.optimizer = memory.optimizer;
  t.activations = memory.activations;
  OverflowTotals all;
  for (const MoeStep* moe : run.experts()) {
    all.routed += moe->totals().overflow.routed;
    all.dropped += moe->totals().overflow.dropped;
  }
  if (all.routed > 0) {
    t.dropped_share = static_cast<double>(all.dropped) / static_cast<double>(all.routed);
  }
  return t;
}

Summary training_summary(const TrainingRun& run) {
  Summary summary;
  const auto add = [&](MetricId id, Seconds TrainingStep::*member) {
    std::vector<double> values;
    for (const TrainingStep& step : run.steps()) values.push_back((step.*member).value);
    if (!values.empty()) summary.metrics.push_back(summarize_values(id, values));
  };
  add(MetricId::step_time, &TrainingStep::time);
  add(MetricId::attention_time, &TrainingStep::attention);
  if (!run.experts().empty()) {
    add(MetricId::dispatch_time, &TrainingStep::dispatch);
    add(MetricId::expert_time, &TrainingStep::experts);
    add(MetricId::combine_time, &TrainingStep::combine);
  }
  summary.throughput.duration = run.duration();
  if (run.duration().value > 0) {
    summary.throughput.total_tokens = TokensPerSecond{
        run.tokens_per_step() * static_cast<double>(run.steps().size()) / run.duration().value};
  }
  return summary;
}

void collect_gpus(const Cluster& cluster, const TrainingRun& run, Result& result) {
  const TrainingLayout& layout = run.layout();
  const double duration = std::max(1e-12, run.duration().value);
  std::vector<double> tokens(static_cast<std::size_t>(layout.gpus / layout.ep));
  for (int g = 0; g < layout.gpus; ++g) {
    tokens[static_cast<std::size_t>(g / layout.ep)] +=
        run.gpus()[static_cast<std::size_t>(g)].expert_tokens;
  }
  for (int g = 0; g < layout.gpus; ++g) {
    const TrainingRun::GpuSeconds& spent = run.gpus()[static_cast<std::size_t>(g)];
    GpuResult gpu;
    gpu.name = cluster.graph().vertices[cluster.place(GpuId{g}).vertex.index()].name;
    gpu.node = cluster.node_of(GpuId{g}).value;
    gpu.instance = g / layout.stage_gpus;
    gpu.attention = Seconds{spent.attention};
    gpu.dense = Seconds{spent.dense};
    gpu.expert = Seconds{spent.expert};
    gpu.network = Seconds{spent.network};
    gpu.expert_tokens = spent.expert_tokens;
    if (const double sum = tokens[static_cast<std::size_t>(g / layout.ep)]; sum > 0) {
      gpu.load = spent.expert_tokens * layout.ep / sum;
    }
    const Seconds working = gpu.attention + gpu.dense + gpu.expert;
    gpu.utilization = working.value / duration;
    gpu.waiting = std::max(Seconds{0}, Seconds{duration} - working - gpu.network);
    gpu.memory = run.memory().usable;
    result.utilization.gpu += gpu.utilization / layout.gpus;
    result.utilization.expert_compute += gpu.expert.value / duration / layout.gpus;
    result.gpus.push_back(gpu);
  }
}

}  // namespace

Flops training_flops_per_token(const ModelShape& model, int sequence) {
  const AttentionShape& a = model.attention;
  const double width = a.kind == AttentionKind::mla
                           ? (a.qk_nope_dim + a.qk_rope_dim + a.v_head_dim) / 2.0
                           : a.head_dim;
  double positions = 0;  // sum over the layers of the tokens that a token attends to
  for (int layer = 0; layer < model.layers; ++layer) {
    const int period = a.linear_layer_period > 0 ? a.linear_layer_period : a.full_layer_period;
    const bool other = a.linear_layer_period > 0 || a.sliding_window > 0;
    const bool full = !other || (period > 0 && layer % period == period - 1);
    if (full) {
      positions += sequence;
    } else if (a.sliding_window > 0) {
      positions += std::min(sequence, a.sliding_window);
    }
  }
  return Flops{6 * active_params(model, ActiveCounting::no_input_embedding) +
               12 * a.heads * width * positions};
}

Result collect_training(const Scenario& scenario, const Cluster& cluster,
                        const ClusterCosts& costs, const TrainingRun& run) {
  Result result;
  collect_header(scenario, cluster, result);
  // What layers and experts are averaged over: forward passes of an EP group.
  const auto steps = static_cast<std::int64_t>(run.steps().size());
  result.steps = steps * run.layout().micro_batches * run.layout().replicas;
  result.summary = training_summary(run);
  result.training = training_result(scenario, cluster, run);
  const std::vector<const MoeStep*> groups = run.experts();
  collect_layers(groups, 1, result);
  collect_overflow(groups, scenario.model.top_k, result);
  const std::vector<TenantShare> tenants{{.tenant = "default", .domain = "default"}};
  collect_router(scenario, groups, tenants, run.duration(), result);
  result.steps = steps;
  collect_gpus(cluster, run, result);
  Seconds exchanging{0};
  for (const auto& gpu : run.gpus()) exchanging = std::max(exchanging, Seconds{gpu.exchange});
  collect_links(cluster, run.ledger(), run.duration(), exchanging, result);
  const TrainingMemory& memory = run.memory();
  result.memory.gpu = memory.capacity;
  result.memory.weights = memory.weights;
  result.memory.buffers = memory.gradients + memory.optimizer + memory.activations;
  collect_cost(scenario, cluster, costs, run.duration(), Seconds{0}, result);
  collect_provenance(scenario, costs, run.kernel_origins(), groups, result);
  result.provenance.push_back({"backward passes", Provenance::assumed,
                               "products twice, scores 2.5 times their forward kernels", 0});
  result.utilization.achieved_flops = result.training->mfu;
  return result;
}

ReportSeries collect_training_series(const Scenario& scenario, const Cluster& cluster,
                                     const TrainingRun& run) {
  ReportSeries series;
  const auto track = [&](TrainingColumn c, const char* name, const char* label,
                         const char* unit) {
    series.tracks.push_back(track_of(run.timeline(), static_cast<int>(c), name, label, unit));
  };
  track(TrainingColumn::step_time, "step_time", "Step time", "s");
  track(TrainingColumn::tokens, "tokens_per_s", "Tokens trained", "tokens/s");
  const std::vector<const MoeStep*> groups = run.experts();
  if (!groups.empty()) {
    track(TrainingColumn::balancedness, "balancedness", "Balancedness", "ratio");
  }
  const std::vector<PhaseSeconds> rows = run.layer_phases();
  std::vector<std::size_t> columns;
  for (std::size_t p = 0; p < kTrainingPhases; ++p) {
    if (std::ranges::any_of(rows, [&](const PhaseSeconds& r) { return r.of[p] > 0; })) {
      columns.push_back(p);
    }
  }
  Grid& grid = series.phases_step;
  grid = {{"layer", "", rows.size(), 0, 1, layer_labels(scenario.model)},
          {"phase", "", columns.size(), 0, 1, {}},
          "time per step",
          "s",
          {}};
  for (const std::size_t p : columns) {
    grid.columns.labels.emplace_back(to_text(static_cast<TrainingPhase>(p)));
  }
  for (const PhaseSeconds& row : rows) {
    for (const std::size_t p : columns) grid.values.push_back(row.of[p]);
  }
  collect_node_traffic(cluster, run.networks(), series);
  collect_experts(cluster, 1, groups.empty() ? nullptr : groups.front(), series);
  return series;
}

}  // namespace moesim
