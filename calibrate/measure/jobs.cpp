// The grids: what issue and cost model need measured, family by family.
#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "calibrate/measure/plan.hpp"
#include "sim/base/rng.hpp"

namespace moesim {
namespace {

using Sizes = std::vector<std::int64_t>;

// 12 x 4 x 4: from a single decode row to a full prefill chunk; widths of projections and
// experts of models in use.
const Sizes kRows{1, 4, 8, 16, 64, 128, 256, 512, 1024, 2048, 4096, 16384};
const Sizes kWidths{1024, 4096, 8192, 16384};
const Sizes kDepths{512, 2048, 8192, 16384};
// Where tiles end: both sides of each step.
const Sizes kSteps{64, 128, 256, 512, 1024};
constexpr int kHoldouts = 48;

struct ExpertsOnGpu {
  std::int64_t hidden, intermediate, experts, top_k;
};
// Experts of one GPU: few and wide (8 of 14336) to many and narrow (128 of 768).
constexpr std::array<ExpertsOnGpu, 4> kExperts{
    {{4096, 14336, 8, 2}, {7168, 2048, 32, 8}, {4096, 1536, 64, 8}, {2048, 768, 128, 8}}};
// What a processor can hold and finish.
constexpr std::array<ExpertsOnGpu, 2> kDemonstrationExperts{
    {{1024, 512, 16, 4}, {512, 256, 32, 4}}};
const Sizes kTokens{1, 4, 16, 64, 256, 1024, 4096, 16384};

struct Heads {
  std::int64_t heads, kv_heads, head_dim;
};
constexpr std::array<Heads, 4> kHeads{{{32, 8, 128}, {8, 1, 128}, {16, 16, 128}, {64, 8, 64}}};

// What lies in memory: of experts also those without a token.
Bytes footprint(const Operation& op) {
  Operation whole = op;
  std::fill(whole.counts.begin(), whole.counts.end(), std::int64_t{1});
  return bytes_of(whole);
}

struct Builder {
  const DeviceFacts& facts;
  std::vector<Job> jobs;

  void add(const Operation& op, Purpose purpose, int tier) {
    // A third of the memory: weights, activations and outputs together stay below it.
    if (footprint(op) > facts.memory / 3) return;
    jobs.push_back({op, purpose, tier, Seconds{0}});
  }
};

std::vector<Dtype> gemm_dtypes(const DeviceFacts& facts) {
  if (facts.demonstration) return {Dtype::fp32};
  if (facts.compute_capability < 89) return {Dtype::bf16, Dtype::int8};
  if (facts.compute_capability != 90) return {Dtype::bf16, Dtype::fp8, Dtype::int8};
  return {Dtype::bf16, Dtype::fp8, Dtype::fp8_block, Dtype::int8};
}

Operation gemm(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k) {
  Operation op;
  op.kind = OpKind::gemm;
  op.dtype = dtype;
  op.m = m, op.n = n, op.k = k;
  return op;
}

// Log-uniform in [low, high], rounded to a multiple of `step`.
std::int64_t log_uniform(Stream& stream, double low, double high, std::int64_t step) {
  const double x = low * std::pow(high / low, stream.uniform());
  const auto rounded = static_cast<std::int64_t>(std::llround(x / static_cast<double>(step)));
  return std::max<std::int64_t>(1, rounded) * step;
}

void gemm_jobs(Builder& to, std::uint64_t seed) {
  const auto on = [](const Sizes& axis, std::int64_t v) {
    return std::find(axis.begin(), axis.end(), v) != axis.end();
  };
  for (const Dtype dtype : gemm_dtypes(to.facts)) {
    for (const auto m : kRows) {
      for (const auto n : kWidths) {
        for (const auto k : kDepths) to.add(gemm(dtype, m, n, k), Purpose::fit, 1);
      }
    }
    Stream stream(seed, "gemm hold-outs", static_cast<std::uint64_t>(dtype));
    for (int i = 0; i < kHoldouts;) {
      const auto m = log_uniform(stream, 1, 16384, 1);
      const auto n = log_uniform(stream, 1024, 16384, 128);
      const auto k = log_uniform(stream, 512, 16384, 128);
      if (on(kRows, m) || on(kWidths, n) || on(kDepths, k)) continue;
      to.add(gemm(dtype, m, n, k), Purpose::holdout, 1);
      ++i;
    }
    for (const auto m : kSteps) {
      for (const auto rows : {m, m + 1}) {
        to.add(gemm(dtype, rows, 4096, 8192), Purpose::step, 1);
        to.add(gemm(dtype, rows, 8192, 2048), Purpose::step, 2);
      }
    }
  }
}

Operation experts(ExpertsOnGpu shape, std::int64_t tokens, ExchangePattern pattern, Dtype dtype,
                  ExpertBackend backend) {
  Operation op;
  op.kind = OpKind::experts;
  op.dtype = dtype;
  op.backend = backend;
  op.pattern = pattern;
  op.tokens = tokens;
  op.hidden = shape.hidden, op.intermediate = shape.intermediate;
  op.experts = shape.experts, op.top_k = shape.top_k;
  op.counts = expert_counts(pattern, tokens, shape.experts, shape.top_k);
  return op;
}

// Two uniform points to one skewed: zipf and one-hot take turns along the token axis.
void expert_curve(Builder& to, ExpertsOnGpu shape, Dtype dtype, ExpertBackend backend,
                  Purpose purpose, int tier) {
  for (std::size_t i = 0; i < kTokens.size(); ++i) {
    to.add(experts(shape, kTokens[i], ExchangePattern::uniform, dtype, backend), purpose, tier);
    if (i % 2 == 1) {
      const ExchangePattern skew =
          i % 4 == 1 ? ExchangePattern::zipf : ExchangePattern::one_hot;
      to.add(experts(shape, kTokens[i], skew, dtype, backend), purpose, tier);
    }
  }
}

std::vector<ExpertBackend> backends_for(const DeviceFacts& facts, Dtype dtype) {
  if (facts.demonstration) return {ExpertBackend::multi_stream};
  if (dtype != Dtype::bf16) return {ExpertBackend::multi_stream, ExpertBackend::lt_grouped};
  return {ExpertBackend::multi_stream, ExpertBackend::strided_batch,
          ExpertBackend::grouped_batched, ExpertBackend::lt_grouped};
}

std::vector<Dtype> expert_dtypes(const DeviceFacts& facts) {
  if (facts.demonstration) return {Dtype::fp32};
  if (facts.compute_capability < 89) return {Dtype::bf16};
  return {Dtype::bf16, Dtype::fp8};
}

void expert_jobs(Builder& to) {
  const auto shapes = to.facts.demonstration
                          ? std::span<const ExpertsOnGpu>(kDemonstrationExperts)
                          : std::span<const ExpertsOnGpu>(kExperts);
  for (const auto& shape : shapes) {
    for (const Dtype dtype : expert_dtypes(to.facts)) {
      for (const auto backend : backends_for(to.facts, dtype)) {
        expert_curve(to, shape, dtype, backend, Purpose::fit, 1);
      }
    }
  }
}

Operation attention(Heads heads, std::int64_t batch, std::int64_t kv, Dtype dtype) {
  Operation op;
  op.kind = OpKind::decode_attention;
  op.dtype = dtype;
  op.batch = batch, op.kv_tokens = kv;
  op.heads = heads.heads, op.kv_heads = heads.kv_heads, op.head_dim = heads.head_dim;
  return op;
}

void attention_jobs(Builder& to, const Heads& heads, Purpose purpose, int tier) {
  const Dtype dtype = to.facts.demonstration ? Dtype::fp32 : Dtype::bf16;
  for (const std::int64_t batch : {1, 8, 32, 128, 256}) {
    for (const std::int64_t kv : {256, 1024, 4096, 16384, 65536}) {
      to.add(attention(heads, batch, kv, dtype), purpose, tier);
    }
  }
}

void memory_jobs(Builder& to) {
  const Dtype dtype = to.facts.demonstration ? Dtype::fp32 : Dtype::bf16;
  for (const OpKind kind : {OpKind::read, OpKind::copy}) {
    for (std::int64_t bytes = 1 << 16; bytes <= (std::int64_t{1} << 32); bytes *= 4) {
      Operation op;
      op.kind = kind, op.dtype = dtype, op.bytes = bytes;
      to.add(op, Purpose::fit, 0);
    }
  }
  for (const OpKind kind :
       {OpKind::permute, OpKind::combine, OpKind::rmsnorm, OpKind::router_topk}) {
    for (const std::int64_t hidden : {2048, 4096, 7168}) {
      for (const std::int64_t tokens : {1, 16, 128, 1024, 8192}) {
        Operation op;
        op.kind = kind, op.dtype = dtype;
        op.tokens = tokens, op.hidden = hidden;
        op.top_k = kind == OpKind::rmsnorm ? 1 : 8;
        if (kind == OpKind::router_topk) {
          op.experts = hidden == 7168 ? 256 : hidden / 32;  // 64, 128, 256
          op.hidden = 0;
        }
        to.add(op, Purpose::fit, 1);
      }
    }
  }
  for (const OpKind kind : {OpKind::graph_node, OpKind::stream_launch}) {
    Operation op;
    op.kind = kind, op.dtype = dtype;
    to.add(op, Purpose::fit, 0);
  }
}

// With one GPU: what one rank's library call costs, and nothing about links.
void all_to_all_jobs(Builder& to) {
  const std::int64_t ranks = std::max(1, to.facts.gpus);
  for (const ExchangePattern pattern : {ExchangePattern::uniform, ExchangePattern::incast,
                                        ExchangePattern::pairs, ExchangePattern::skewed}) {
    if (ranks == 1 && pattern != ExchangePattern::uniform) continue;
    for (std::int64_t bytes = 1 << 10; bytes <= (std::int64_t{512} << 20); bytes *= 2) {
      Operation op;
      op.kind = OpKind::all_to_all;
      op.dtype = to.facts.demonstration ? Dtype::fp32 : Dtype::bf16;
      op.pattern = pattern, op.bytes = bytes, op.ranks = ranks;
      to.add(op, Purpose::fit, ranks == 1 ? 2 : 1);
    }
  }
}

void energy_jobs(Builder& to) {
  if (to.facts.demonstration) return;
  for (const Dtype dtype : gemm_dtypes(to.facts)) {
    to.add(gemm(dtype, 8192, 7168, 7168), Purpose::energy, 3);
  }
  Operation copy;
  copy.kind = OpKind::copy, copy.bytes = std::int64_t{1} << 30;
  to.add(copy, Purpose::energy, 3);
  to.add(attention(kHeads[0], 128, 4096, Dtype::bf16), Purpose::energy, 3);
  to.add(experts(kExperts[1], 256, ExchangePattern::uniform, Dtype::bf16,
                 ExpertBackend::multi_stream),
         Purpose::energy, 3);
}

void model_jobs(Builder& to, const MeasuredModel& model) {
  const std::vector<Dtype> dtypes =
      to.facts.demonstration ? std::vector{Dtype::fp32} : model.dtypes;
  const auto can = expert_dtypes(to.facts);
  for (const Dtype dtype : dtypes) {
    if (std::find(can.begin(), can.end(), dtype) == can.end()) continue;
    // Whole, and shared by 8 and by 32 GPUs.
    for (const int gpus : {1, 8, 32}) {
      const std::int64_t held = model.experts / gpus;
      if (held < model.top_k) continue;
      const ExpertsOnGpu shape{model.hidden, model.moe_intermediate, held, model.top_k};
      for (const auto backend : backends_for(to.facts, dtype)) {
        expert_curve(to, shape, dtype, backend, Purpose::model, 0);
      }
    }
  }
  if (model.kv_heads > 0) {
    attention_jobs(to, {model.heads, model.kv_heads, model.head_dim}, Purpose::model, 0);
  }
}

}  // namespace

std::vector<Job> all_jobs(const DeviceFacts& facts, const PlanOptions& options) {
  Builder to{facts, {}};
  memory_jobs(to);
  for (const auto& model : options.models) model_jobs(to, model);
  gemm_jobs(to, options.seed);
  expert_jobs(to);
  for (const auto& heads : kHeads) attention_jobs(to, heads, Purpose::fit, 1);
  all_to_all_jobs(to);
  energy_jobs(to);
  std::erase_if(to.jobs, [&](const Job& job) { return !selects(options.selection, job.op); });
  return std::move(to.jobs);
}

}  // namespace moesim
