#include "sim/serving/moe_network.hpp"

#include <algorithm>

#include "sim/serving/measured_exchange.hpp"

namespace moesim {

namespace {

Bytes row_bytes(int width, Dtype dtype) { return Bytes{width * info(dtype).activation_bytes}; }

// DeepEP's two modes: throughput kernels for prompts, low latency for decodes; inside one
// domain there is nothing to deduplicate.
std::string transport_for(const std::string& asked, bool prefill, int domains) {
  if (asked != "auto") return asked;
  if (prefill) return domains > 1 ? "node_dedup" : "pairwise";
  return "low_latency";
}

// DeepSeek-V3 report (2412.19437), section 3.2.2: 20 of an H800's 132 multiprocessors send and
// receive. DeepEP's low-latency kernels leave them to compute (its README, "hook").
double share_of(const ServingOptions& options, const std::string& transport) {
  if (options.overlap_sm_share >= 0) return options.overlap_sm_share;
  return transport == "low_latency" ? 0.0 : 20.0 / 132;
}

}  // namespace

MoeNetwork::MoeNetwork(const Cluster& cluster, std::vector<GpuId> gpus, const ModelShape& model,
                       const ServingOptions& options, int slots_per_rank,
                       std::optional<LayerRange> layers,
                       const std::vector<CollectiveCurve>& exchanges)
    : ranks_(cluster, std::move(gpus)),
      model_(make_collective_model(options.network)),
      prefill_fit_(transport_fit(transport_for(options.transport, true, ranks_.domains()),
                                 ranks_.gpu_name(), exchanges)),
      decode_fit_(transport_fit(transport_for(options.transport, false, ranks_.domains()),
                                ranks_.gpu_name(), exchanges)),
      prefill_(ranks_,
               parse_transport(transport_for(options.transport, true, ranks_.domains())),
               prefill_fit_, slots_per_rank),
      decode_(ranks_,
              parse_transport(transport_for(options.transport, false, ranks_.domains())),
              decode_fit_, slots_per_rank),
      prefill_share_(
          share_of(options, transport_for(options.transport, true, ranks_.domains()))),
      decode_share_(
          share_of(options, transport_for(options.transport, false, ranks_.domains()))),
      node_traffic_(cluster.nodes()),
      layers_(std::max(1, moe_layer_count(model, layers.value_or(all_layers(model))))) {
  const int width = model.dispatch_width > 0 ? model.dispatch_width : model.hidden;
  dispatch_row_ = row_bytes(width, model.dispatch);
  combine_row_ = row_bytes(model.hidden, model.combine);
}

ExchangeTime MoeNetwork::exchange(const DispatchDemand& demand, bool prefill,
                                  LinkLedger& ledger, Seconds start, double times) {
  LayerExchange& exchange = prefill ? prefill_ : decode_;
  const std::int64_t step = calls_ / layers_;
  if (shared_ && calls_ % layers_ == 0) shared_->begin_step(start);
  const bool sampled = calls_++ % layers_ == step % layers_;
  const auto run = [&](const Traffic& traffic, Seconds begin) {
    if (sampled) node_traffic_.add(traffic, times * layers_);
    return shared_ ? shared_->time(*model_, traffic, ledger, begin, times)
                   : model_->time(traffic, &ledger, begin);
  };
  ExchangeTime time;
  exchange.take(demand);
  const Outcome out = run(exchange.dispatch(dispatch_row_), start);
  time.dispatch = out.makespan;
  time.busiest = out.busiest;
  finish_.assign(out.finish.begin(), out.finish.end());
  time.finish = finish_;
  time.combine = run(exchange.combine(combine_row_), start + time.dispatch).makespan;
  return time;
}

}  // namespace moesim
