#include "calibrate/measure/operation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "sim/base/errors.hpp"

namespace moesim {
namespace {

constexpr std::string_view kKinds[] = {"gemm",       "experts",       "read",
                                       "copy",       "permute",       "combine",
                                       "rmsnorm",    "router_topk",   "decode_attention",
                                       "graph_node", "stream_launch", "all_to_all"};
constexpr std::string_view kBackends[] = {"strided_batch", "multi_stream", "grouped_batched",
                                          "lt_grouped"};
constexpr std::string_view kPatterns[] = {"uniform", "zipf",  "one_hot",
                                          "incast",  "pairs", "skewed"};

double number(std::int64_t v) { return static_cast<double>(v); }

// Gives out `total` one at a time to those below `cap`, in order, round after round.
void spread_evenly(std::vector<std::int64_t>& counts, std::size_t first, std::int64_t total,
                   std::int64_t cap) {
  const auto n = static_cast<std::int64_t>(counts.size() - first);
  for (std::int64_t i = 0; i < n; ++i) {
    counts[first + static_cast<std::size_t>(i)] =
        std::min(cap, total / n + (i < total % n ? 1 : 0));
  }
}

std::vector<std::int64_t> zipf_counts(std::int64_t tokens, std::int64_t experts,
                                      std::int64_t total) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(experts), 0);
  double harmonic = 0;
  for (std::int64_t e = 0; e < experts; ++e) harmonic += 1.0 / number(e + 1);
  std::int64_t left = total;
  for (std::int64_t e = 0; e < experts; ++e) {
    const double share = number(total) / (number(e + 1) * harmonic);
    auto& count = counts[static_cast<std::size_t>(e)];
    count = std::min({tokens, left, static_cast<std::int64_t>(share)});
    left -= count;
  }
  // What capping and rounding left over goes to the least loaded ranks that have room.
  while (left > 0) {
    for (auto& count : counts) {
      if (left > 0 && count < tokens) ++count, --left;
    }
  }
  return counts;
}

}  // namespace

std::string_view to_text(OpKind kind) { return kKinds[static_cast<int>(kind)]; }
std::string_view to_text(ExpertBackend backend) { return kBackends[static_cast<int>(backend)]; }
std::string_view to_text(ExchangePattern pattern) {
  return kPatterns[static_cast<int>(pattern)];
}

std::string to_text(const Operation& op) {
  const std::string head = fmt::format("{} {}", to_text(op.kind), to_text(op.dtype));
  switch (op.kind) {
    case OpKind::gemm:
      return fmt::format("{} m={} n={} k={}", head, op.m, op.n, op.k);
    case OpKind::experts:
      return fmt::format("{} {} {} tokens={} hidden={} inter={} experts={} topk={}", head,
                         to_text(op.backend), to_text(op.pattern), op.tokens, op.hidden,
                         op.intermediate, op.experts, op.top_k);
    case OpKind::read:
    case OpKind::copy:
      return fmt::format("{} bytes={}", head, op.bytes);
    case OpKind::permute:
    case OpKind::combine:
      return fmt::format("{} tokens={} hidden={} topk={}", head, op.tokens, op.hidden,
                         op.top_k);
    case OpKind::rmsnorm:
      return fmt::format("{} tokens={} hidden={}", head, op.tokens, op.hidden);
    case OpKind::router_topk:
      return fmt::format("{} tokens={} experts={} topk={}", head, op.tokens, op.experts,
                         op.top_k);
    case OpKind::decode_attention:
      return fmt::format("{} batch={} kv={} heads={} kv_heads={} dim={}", head, op.batch,
                         op.kv_tokens, op.heads, op.kv_heads, op.head_dim);
    case OpKind::all_to_all:
      return fmt::format("{} {} ranks={} bytes={}", head, to_text(op.pattern), op.ranks,
                         op.bytes);
    case OpKind::graph_node:
    case OpKind::stream_launch:
      return head;
  }
  return head;
}

bool selects(const Selection& selection, const Operation& op) {
  const auto begins = [text = to_text(op)](const std::string& beginning) {
    return text.starts_with(beginning);
  };
  const auto& [only, without] = selection;
  return (only.empty() || std::any_of(only.begin(), only.end(), begins)) &&
         std::none_of(without.begin(), without.end(), begins);
}

std::string family_of(const Operation& op) {
  const std::string text = fmt::format("{} {}", to_text(op.kind), to_text(op.dtype));
  if (op.kind == OpKind::experts) return fmt::format("{} {} ", text, to_text(op.backend));
  const bool sized = op.kind != OpKind::graph_node && op.kind != OpKind::stream_launch;
  return sized ? text + " " : text;
}

Flops flops_of(const Operation& op) {
  if (op.kind == OpKind::gemm) return Flops{2 * number(op.m) * number(op.n) * number(op.k)};
  if (op.kind == OpKind::experts) {
    return Flops{6 * number(op.tokens * op.top_k) * number(op.hidden) *
                 number(op.intermediate)};
  }
  if (op.kind == OpKind::decode_attention) {
    return Flops{4 * number(op.batch * op.heads * op.head_dim) * number(op.kv_tokens)};
  }
  return Flops{0};
}

Bytes bytes_of(const Operation& op) {
  const double weight = info(op.dtype).weight_bytes;
  const double rows = number(op.tokens * std::max<std::int64_t>(1, op.top_k));
  const double row = number(op.hidden) * info(op.dtype).activation_bytes;
  switch (op.kind) {
    case OpKind::gemm:
      return Bytes{weight * number(op.n) * number(op.k) +
                   info(op.dtype).activation_bytes * number(op.m) * number(op.k) +
                   2 * number(op.m) * number(op.n)};
    case OpKind::experts:
      return Bytes{number(active_experts(op)) * 3 * number(op.hidden) *
                       number(op.intermediate) * weight +
                   4 * rows * row};
    case OpKind::read:
      return Bytes{number(op.bytes)};
    case OpKind::copy:
    case OpKind::all_to_all:
      return Bytes{2 * number(op.bytes)};
    case OpKind::permute:
      return Bytes{rows * row + number(op.tokens) * row};
    case OpKind::combine:
      return Bytes{rows * row + number(op.tokens) * row};
    case OpKind::rmsnorm:
      return Bytes{4 * number(op.tokens) * row};
    case OpKind::router_topk:
      return Bytes{4 * number(op.tokens * op.experts) + 8 * rows};
    case OpKind::decode_attention:
      return Bytes{2 * info(op.dtype).activation_bytes * number(op.batch * op.kv_tokens) *
                   number(op.kv_heads * op.head_dim)};
    case OpKind::graph_node:
    case OpKind::stream_launch:
      break;
  }
  return Bytes{0};
}

std::vector<std::int64_t> expert_counts(ExchangePattern pattern, std::int64_t tokens,
                                        std::int64_t experts, std::int64_t top_k) {
  MOESIM_LAW(experts >= top_k && top_k > 0 && tokens >= 0, "top_k experts of those there are");
  const std::int64_t total = tokens * top_k;
  std::vector<std::int64_t> counts(static_cast<std::size_t>(experts), 0);
  if (pattern == ExchangePattern::zipf) {
    counts = zipf_counts(tokens, experts, total);
  } else if (pattern == ExchangePattern::one_hot && experts > 1) {
    counts[0] = tokens;
    spread_evenly(counts, 1, total - tokens, tokens);
  } else {
    spread_evenly(counts, 0, total, tokens);
  }
  MOESIM_LAW(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}) == total,
             "tokens routed = tokens x top_k");
  return counts;
}

std::int64_t active_experts(const Operation& op) {
  return std::count_if(op.counts.begin(), op.counts.end(), [](auto c) { return c > 0; });
}

std::int64_t most_loaded(const Operation& op) {
  return op.counts.empty() ? 0 : *std::max_element(op.counts.begin(), op.counts.end());
}

}  // namespace moesim
