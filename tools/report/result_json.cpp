#include "tools/report/result_json.hpp"

#include <nlohmann/json.hpp>

namespace moesim {

namespace {

using Json = nlohmann::ordered_json;

Json to_json(const std::optional<Interval>& interval) {
  return interval ? Json::array({interval->low, interval->high}) : Json(nullptr);
}

Json to_json(const MetricSummary& m, const char* method) {
  Json j{{"unit", metric(m.id).unit},
         {"count", m.count},
         {"mean", m.mean},
         {"p50", m.p50},
         {"p90", m.p90},
         {"p99", m.p99},
         {"max", m.max},
         {"small_sample", m.small_sample}};
  if (m.mean_interval) {
    j["interval"] = {{"level", kConfidence},
                     {"method", method},
                     {"mean", to_json(m.mean_interval)},
                     {"p50", to_json(m.p50_interval)},
                     {"p99", to_json(m.p99_interval)}};
  } else {
    j["interval"] = nullptr;
  }
  return j;
}

Json to_json(const std::vector<MetricSummary>& metrics, const char* method) {
  Json j = Json::object();
  for (const MetricSummary& m : metrics) j[std::string(metric(m.id).tag)] = to_json(m, method);
  return j;
}

Json to_json(const RequestCounts& r) {
  return {{"arrived", r.arrived}, {"finished", r.finished},     {"shed", r.shed},
          {"failed", r.failed},   {"unfinished", r.unfinished}, {"preemptions", r.preemptions},
          {"warmup", r.warmup}};
}

Json to_json(const Throughput& t, int gpus) {
  return {{"duration_s", t.duration.value},
          {"requests_per_s", t.requests.value},
          {"output_tokens_per_s", t.output_tokens.value},
          {"total_tokens_per_s", t.total_tokens.value},
          {"per_gpu", gpus > 0 ? t.output_tokens.value / gpus : 0.0},
          {"goodput", t.goodput.value}};
}

Json provenance_json(const Result& result) {
  Json list = Json::array();
  for (const ProvenanceNote& note : result.provenance) {
    list.push_back({{"what", note.what},
                    {"provenance", to_text(note.provenance)},
                    {"source", note.source},
                    {"relative_error",
                     note.relative_error > 0 ? Json(note.relative_error) : Json(nullptr)}});
  }
  return list;
}

Json gpus_json(const Result& result) {
  Json list = Json::array();
  for (const GpuResult& g : result.gpus) {
    list.push_back({{"name", g.name},
                    {"node", g.node},
                    {"instance", g.instance},
                    {"utilization", g.utilization},
                    {"attention_s", g.attention.value},
                    {"dense_s", g.dense.value},
                    {"expert_s", g.expert.value},
                    {"network_s", g.network.value},
                    {"host_s", g.host.value},
                    {"waiting_s", g.waiting.value},
                    {"load", g.load},
                    {"expert_tokens", g.expert_tokens},
                    {"memory_bytes", g.memory.value}});
  }
  return list;
}

Json links_json(const Result& result) {
  Json list = Json::array();
  for (const LinkResult& l : result.links) {
    list.push_back({{"name", l.name},
                    {"kind", l.kind},
                    {"bandwidth_bytes_per_s", l.bandwidth.value},
                    {"bytes", l.bytes.value},
                    {"utilization", l.utilization},
                    {"busbw_bytes_per_s", l.busbw.value}});
  }
  return list;
}

Json to_json(const Result& result, const BlameReport& b) {
  Json causes = Json::object();
  for (std::size_t c = 0; c < kCauses; ++c) {
    causes[std::string(to_text(static_cast<Cause>(c)))] = b.seconds.of[c];
  }
  Json gpus = Json::array();
  for (const BlamedGpu& g : b.gpus) {
    gpus.push_back({{"gpu", gpu_name(result, g.gpu)}, {"seconds", g.seconds.value}});
  }
  Json layers = Json::array();
  for (const BlamedLayer& l : b.layers) {
    layers.push_back({{"layer", l.layer.value}, {"seconds", l.seconds.value}});
  }
  Json experts = Json::array();
  for (const BlamedExpert& e : b.experts) {
    experts.push_back(
        {{"layer", e.layer.value}, {"expert", e.expert.value}, {"seconds", e.seconds.value}});
  }
  Json links = Json::array();
  for (const BlamedLink& l : b.links) {
    links.push_back({{"link", link_name(result, l.link)}, {"seconds", l.seconds.value}});
  }
  return {{"metric", metric(b.metric).tag},
          {"slowest_share", b.slowest_share},
          {"requests", b.requests},
          {"latency_s", b.latency.value},
          {"causes_s", causes},
          {"straggler_gpus", gpus},
          {"straggler_layers", layers},
          {"straggler_experts", experts},
          {"straggler_links", links}};
}

Json to_json(const Result& result, const std::vector<BlameReport>& reports) {
  Json list = Json::array();
  for (const BlameReport& b : reports) list.push_back(to_json(result, b));
  return list;
}

Json slo_json(const Summary& summary) {
  Json list = Json::array();
  for (const SloVerdict& v : summary.slo) {
    list.push_back({{"name", v.name},
                    {"limit_s", v.limit.value},
                    {"value_s", v.value.value},
                    {"met", v.met}});
  }
  return list;
}

Json tenants_json(const Summary& summary, const char* method) {
  Json list = Json::array();
  for (const TenantSummary& t : summary.tenants) {
    list.push_back({{"name", t.name},
                    {"requests", to_json(t.requests)},
                    {"metrics", to_json(t.metrics, method)}});
  }
  return list;
}

Json shares_json(const UtilizationResult& u) {
  return {{"gpu", u.gpu},
          {"expert_compute", u.expert_compute},
          {"links", u.links},
          {"achieved_flops", u.achieved_flops},
          {"dense_baseline", u.dense_baseline ? Json(*u.dense_baseline) : Json(nullptr)}};
}

Json balance_json(const BalanceResult& b) {
  return {{"balancedness", b.balancedness},
          {"worst_balancedness", b.worst_balancedness},
          {"router_entropy", b.router_entropy},
          {"overflow_rate", b.overflow_rate},
          {"dropped_token_rate", b.dropped_token_rate},
          {"dead_experts", b.dead_experts},
          {"lower_bound", b.lower_bound},
          {"gap", b.gap},
          {"balance_loss", b.balance_loss},
          {"active_experts", b.active_experts},
          {"router_mass_lost", b.router_mass_lost}};
}

Json to_json(const std::vector<NamedSeconds>& parts) {
  Json j = Json::object();
  for (const NamedSeconds& part : parts) j[part.name] = part.seconds.value;
  return j;
}

Json training_json(const TrainingResult& t) {
  return {{"step_time_s", t.step_time.value},
          {"phases_s", to_json(t.phases)},
          {"passes_s", to_json(t.passes)},
          {"tokens_per_step", t.tokens_per_step},
          {"tokens_per_s", t.tokens.value},
          {"tokens_per_s_per_gpu", t.tokens_per_gpu.value},
          {"model_flops_per_token", t.model_flops_per_token.value},
          {"mfu", t.mfu},
          {"dropped_share", t.dropped_share},
          {"bubble_share", t.bubble_share},
          {"bubble_ideal", t.bubble_ideal},
          {"micro_batches", t.micro_batches},
          {"stages", t.stages},
          {"dp", t.dp},
          {"tp", t.tp},
          {"ep", t.ep},
          {"replicas", t.replicas},
          {"memory",
           {{"stage", t.fullest_stage},
            {"weights_bytes", t.weights.value},
            {"gradients_bytes", t.gradients.value},
            {"optimizer_bytes", t.optimizer.value},
            {"activations_bytes", t.activations.value}}}};
}

}  // namespace

std::string to_json(const Result& r) {
  const char* method = r.replications > 1 ? "replications" : "batch_means";
  Json json{{"schema_version", kResultSchemaVersion},
            {"version", r.version},
            {"scenario", r.scenario},
            {"seed", r.seed},
            {"replications", r.replications},
            {"partial", r.partial},
            {"model", r.model},
            {"cluster", r.cluster},
            {"gpu_count", r.gpu_count},
            {"steps", r.steps},
            {"provenance", provenance_json(r)},
            {"requests", to_json(r.summary.requests)},
            {"metrics", to_json(r.summary.metrics, method)},
            {"throughput", to_json(r.summary.throughput, r.gpu_count)},
            {"utilization", shares_json(r.utilization)},
            {"balance", balance_json(r.balance)},
            {"memory",
             {{"gpu_bytes", r.memory.gpu.value},
              {"weights_bytes", r.memory.weights.value},
              {"kv_cache_bytes", r.memory.kv_cache.value},
              {"kv_peak_bytes", r.memory.kv_peak.value},
              {"buffers_bytes", r.memory.buffers.value}}},
            {"cost",
             {{"gpu_hours", r.cost.gpu_hours},
              {"usd", r.cost.total.value},
              {"usd_per_million_output_tokens", r.cost.per_million_output_tokens.value},
              {"usd_per_million_tokens", r.cost.per_million_tokens.value},
              {"joules", r.cost.energy.value},
              {"joules_per_output_token", r.cost.energy_per_token.value}}},
            {"slo", slo_json(r.summary)},
            {"gpus", gpus_json(r)},
            {"links", links_json(r)},
            {"tenants", tenants_json(r.summary, method)},
            {"blame", to_json(r, r.blame)},
            {"phases", to_json(r, r.phases)},
            {"notes", r.notes}};
  if (r.training) json["training"] = training_json(*r.training);
  // A name that is not UTF-8 is shown with replacement characters instead of ending the run.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace moesim
