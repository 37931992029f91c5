#include "sim/serving/moe_network.hpp"

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

TransportFit fit_for(const Cluster& cluster, const std::string& transport) {
  return find_transport_fit(transport, cluster.gpu(GpuId{0}).name);
}

}  // namespace

MoeNetwork::MoeNetwork(const Cluster& cluster, std::vector<GpuId> gpus, const ModelShape& model,
                       const ServingOptions& options, int slots_per_rank)
    : ranks_(cluster, std::move(gpus)),
      model_(make_collective_model(options.network)),
      prefill_fit_(fit_for(cluster, transport_for(options.transport, true, ranks_.domains()))),
      decode_fit_(fit_for(cluster, transport_for(options.transport, false, ranks_.domains()))),
      prefill_(ranks_,
               parse_transport(transport_for(options.transport, true, ranks_.domains())),
               prefill_fit_, slots_per_rank),
      decode_(ranks_,
              parse_transport(transport_for(options.transport, false, ranks_.domains())),
              decode_fit_, slots_per_rank) {
  const int width = model.dispatch_width > 0 ? model.dispatch_width : model.hidden;
  dispatch_row_ = row_bytes(width, model.dispatch);
  combine_row_ = row_bytes(model.hidden, model.combine);
}

ExchangeTime MoeNetwork::exchange(const DispatchDemand& demand, bool prefill,
                                  LinkLedger& ledger, Seconds start) {
  LayerExchange& exchange = prefill ? prefill_ : decode_;
  ExchangeTime time;
  const Outcome out = model_->time(exchange.dispatch(demand, dispatch_row_), &ledger, start);
  time.dispatch = out.makespan;
  time.busiest = out.busiest;
  time.combine =
      model_->time(exchange.combine(demand, combine_row_), &ledger, start + time.dispatch)
          .makespan;
  return time;
}

}  // namespace moesim
