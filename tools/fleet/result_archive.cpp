#include "tools/fleet/result_archive.hpp"

#include "sim/base/errors.hpp"
#include "tools/fleet/archive.hpp"

namespace moesim {

void parts(Archive& a, ProvenanceNote& n) {
  a(n.what, n.provenance, n.source, n.relative_error);
}
void parts(Archive& a, SloVerdict& v) { a(v.name, v.limit, v.value, v.met); }
void parts(Archive& a, TenantSummary& t) { a(t.name, t.requests, t.metrics); }
void parts(Archive& a, Summary& s) {
  a(s.requests, s.metrics, s.throughput, s.slo, s.tenants, s.suggested_warmup);
}
void parts(Archive& a, GpuResult& g) {
  a(g.name, g.node, g.instance, g.utilization, g.attention, g.dense, g.expert, g.network,
    g.host, g.waiting, g.load, g.expert_tokens, g.memory);
}
void parts(Archive& a, LinkResult& l) {
  a(l.name, l.kind, l.bandwidth, l.bytes, l.utilization, l.busbw);
}
void parts(Archive& a, ExpertResult& e) {
  a(e.layer, e.expert, e.replicas, e.gpus, e.tokens, e.load);
}
void parts(Archive& a, BlameReport& b) {
  a(b.metric, b.slowest_share, b.requests, b.latency, b.seconds, b.gpus, b.layers, b.experts,
    b.links);
}
void parts(Archive& a, NamedSeconds& n) { a(n.name, n.seconds); }
void parts(Archive& a, TrainingResult& t) {
  a(t.step_time, t.phases, t.passes, t.tokens_per_step, t.tokens, t.tokens_per_gpu,
    t.model_flops_per_token, t.mfu, t.dropped_share, t.bubble_share, t.bubble_ideal,
    t.micro_batches, t.stages, t.dp, t.tp, t.ep, t.replicas, t.fullest_stage, t.weights,
    t.gradients, t.optimizer, t.activations);
}
void parts(Archive& a, Result& r) {
  a(r.version, r.scenario, r.seed, r.replications, r.partial, r.model, r.cluster, r.gpu_count,
    r.steps, r.provenance, r.summary, r.utilization, r.balance, r.memory, r.cost, r.gpus,
    r.links, r.experts, r.layers, r.blame, r.phases, r.notes, r.training);
}

std::string to_bytes(Result result) {
  Archive out;
  out(result);
  return out.bytes();
}

Result result_from_bytes(std::string bytes) {
  Archive in(std::move(bytes));
  Result result;
  in(result);
  MOESIM_LAW(in.at_end(), "a result is read to its end");
  return result;
}

}  // namespace moesim
