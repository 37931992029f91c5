#include "calibrate/measure/verification.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/errors.hpp"

namespace moesim {
namespace {

bool same_kernel(const Operation& a, const Operation& b) {
  return family_of(a) == family_of(b);
}

// The first planned job of every kernel, so that nothing is timed unverified.
std::vector<Operation> kernels_of(const DeviceFacts& facts) {
  std::vector<Operation> list;
  for (const Job& job : all_jobs(facts, {})) {
    const auto known = [&](const Operation& op) { return same_kernel(op, job.op); };
    if (std::none_of(list.begin(), list.end(), known)) list.push_back(job.op);
  }
  return list;
}

// Why nothing is believed of this kernel.
std::string verdict_on(const Verified& v) {
  if (!v.failure.empty()) return fmt::format("{} failed: {}", to_text(v.op), v.failure);
  return fmt::format("its result is wrong: {} differs by {:.2g}, {:.2g} is allowed",
                     to_text(v.op), v.result.error, v.result.tolerance);
}

using Operations = std::vector<Operation>;

void add_gemms(Operations& to, Operation op) {
  for (const std::int64_t m : {1, 65, 130}) {
    op.m = m, op.n = 384, op.k = 640;
    to.push_back(op);
  }
}

void add_experts(Operations& to, Operation op) {
  op.hidden = 256, op.intermediate = 384, op.experts = 8, op.top_k = 2;
  for (const std::int64_t tokens : {1, 37}) {
    for (const ExchangePattern pattern :
         {ExchangePattern::uniform, ExchangePattern::zipf, ExchangePattern::one_hot}) {
      op.tokens = tokens, op.pattern = pattern;
      op.counts = expert_counts(pattern, tokens, op.experts, op.top_k);
      to.push_back(op);
    }
  }
}

// Group sizes 1, 4, 8, 16; one token, either side of a split, and several splits.
void add_attention(Operations& to, Operation op) {
  for (const std::int64_t group : {1, 4, 8, 16}) {
    for (const std::int64_t kv : {1, 255, 257, 1000}) {
      op.batch = 3, op.kv_tokens = kv, op.kv_heads = 2, op.heads = 2 * group;
      op.head_dim = group == 8 ? 64 : 128;
      to.push_back(op);
    }
  }
}

void add_rows(Operations& to, Operation op) {
  op.hidden = op.kind == OpKind::router_topk ? 0 : 1544;
  op.experts = op.kind == OpKind::router_topk ? 250 : 0;
  for (const std::int64_t tokens : {1, 77}) {
    op.tokens = tokens;
    op.top_k = op.kind == OpKind::rmsnorm ? 1 : 6;
    to.push_back(op);
  }
}

}  // namespace

Operations verification_operations(const DeviceFacts& facts) {
  Operations list;
  for (Operation op : kernels_of(facts)) {
    switch (op.kind) {
      case OpKind::gemm:
        add_gemms(list, op);
        break;
      case OpKind::experts:
        add_experts(list, op);
        break;
      case OpKind::decode_attention:
        add_attention(list, op);
        break;
      case OpKind::permute:
      case OpKind::combine:
      case OpKind::rmsnorm:
      case OpKind::router_topk:
        add_rows(list, op);
        break;
      case OpKind::all_to_all:
        for (const ExchangePattern pattern :
             {ExchangePattern::uniform, ExchangePattern::incast, ExchangePattern::pairs,
              ExchangePattern::skewed}) {
          op.pattern = pattern, op.bytes = 1 << 16;
          if (op.ranks > 1 || pattern == ExchangePattern::uniform) list.push_back(op);
        }
        break;
      case OpKind::read:
      case OpKind::copy:
        op.bytes = 16 * 65537;
        list.push_back(op);
        break;
      case OpKind::graph_node:
      case OpKind::stream_launch:
        list.push_back(op);
        break;
    }
  }
  return list;
}

Verified verify_one(MeasuredDevice& device, const Operation& op) {
  Verified v{op, "", "", {}};
  try {
    if (const auto result = device.verify(op, v.refusal)) v.result = *result;
  } catch (const OperationFailed& e) {
    v.failure = e.what();
  }
  return v;
}

std::vector<Verified> verify_all(MeasuredDevice& device, const Selection& selection) {
  std::vector<Verified> results;
  for (const Operation& op : verification_operations(device.facts())) {
    if (!selects(selection, op)) continue;
    try {
      results.push_back(verify_one(device, op));
    } catch (const WorldError& e) {
      // A fault on a GPU stays with its context: nothing after it could be believed.
      results.push_back({op, "", e.what() + how_to_go_round(op), {}});
      return results;
    }
  }
  return results;
}

std::string verification_report(const std::vector<Verified>& results) {
  std::string text;
  for (const Verified& v : results) {
    const char* verdict = v.wrong() ? "WRONG " : v.right() ? "right " : "absent";
    text += fmt::format("{}  {}", verdict, to_text(v.op));
    if (!v.refusal.empty() || !v.failure.empty()) {
      text += fmt::format(": {}\n", v.refusal.empty() ? v.failure : v.refusal);
    } else {
      text +=
          fmt::format(": error {:.2g} of {:.2g} allowed\n", v.result.error, v.result.tolerance);
    }
  }
  return text;
}

std::vector<Refusal> drop_wrong(Plan& plan, const std::vector<Verified>& results) {
  std::vector<Refusal> dropped;
  std::vector<Job> kept;
  std::size_t expected = 0;
  for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
    const Job& job = plan.jobs[i];
    const auto bad = std::find_if(results.begin(), results.end(), [&](const Verified& v) {
      return v.wrong() && same_kernel(v.op, job.op);
    });
    if (bad != results.end()) {
      dropped.push_back({job.op, verdict_on(*bad)});
      continue;
    }
    kept.push_back(job);
    if (i < plan.expected) ++expected;
  }
  plan.jobs = std::move(kept);
  plan.expected = expected;
  return dropped;
}

}  // namespace moesim
