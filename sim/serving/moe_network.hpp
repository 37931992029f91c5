// The two all-to-alls of an MoE layer for one instance: which transport, how long, which link.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "sim/machine/collective.hpp"
#include "sim/machine/ledger.hpp"
#include "sim/machine/node_traffic.hpp"
#include "sim/machine/shared_collectives.hpp"
#include "sim/machine/transport.hpp"
#include "sim/model/shape.hpp"
#include "sim/serving/options.hpp"
#include "topology/cluster.hpp"

namespace moesim {

struct ExchangeTime {
  Seconds dispatch{0};
  Seconds combine{0};
  LinkId busiest{-1};
  // [ranks] when each has its rows, of the dispatch; empty where the network model cannot say.
  // Valid until the next exchange.
  std::span<const Seconds> finish;
};

class MoeNetwork {
 public:
  // `gpus` are the expert ranks, of the `layers` of a pipeline stage (all by default);
  // `exchanges` as measured_exchanges gives them. The cluster outlives this.
  MoeNetwork(const Cluster& cluster, std::vector<GpuId> gpus, const ModelShape& model,
             const ServingOptions& options, int slots_per_rank,
             std::optional<LayerRange> layers = {},
             const std::vector<CollectiveCurve>& exchanges = {});

  // From now on collectives leave links to what else crosses them. `transfers` outlives this.
  void share_with(Transfers& transfers) { shared_.emplace(transfers); }

  [[nodiscard]] const RankGroup& ranks() const { return ranks_; }
  // Bytes of one token on the wire, scales included.
  [[nodiscard]] Bytes dispatch_row() const { return dispatch_row_; }
  [[nodiscard]] Bytes combine_row() const { return combine_row_; }
  // The fits in use, prefill's and decode's.
  [[nodiscard]] const TransportFit& prefill_fit() const { return prefill_fit_; }
  [[nodiscard]] const TransportFit& decode_fit() const { return decode_fit_; }

  // What an exchange reads of its demand.
  [[nodiscard]] DemandShares asks(bool prefill) const {
    return (prefill ? prefill_ : decode_).asks();
  }
  // The part of a GPU's multiprocessors that the transport's kernels hold while they run.
  [[nodiscard]] double sm_share(bool prefill) const {
    return prefill ? prefill_share_ : decode_share_;
  }

  // `prefill`: the step holds prompt tokens, which engines send by their throughput kernels.
  // Bytes are added to the ledger over [start, start + time]; `times` micro-batches do the
  // same.
  ExchangeTime exchange(const DispatchDemand& demand, bool prefill, LinkLedger& ledger,
                        Seconds start, double times = 1);

  // Who sent how much to whom: taken from one MoE layer of each step, the layers in turn, for
  // all of them. Right on average, and not worth more time.
  [[nodiscard]] const NodeTraffic& node_traffic() const { return node_traffic_; }

 private:
  RankGroup ranks_;
  std::unique_ptr<CollectiveModel> model_;
  std::optional<SharedCollectives> shared_;
  TransportFit prefill_fit_;
  TransportFit decode_fit_;
  LayerExchange prefill_;
  LayerExchange decode_;
  double prefill_share_;
  double decode_share_;
  Bytes dispatch_row_;
  Bytes combine_row_;
  NodeTraffic node_traffic_;
  std::vector<Seconds> finish_;  // of the last dispatch
  int layers_;                   // MoE layers of a step
  std::int64_t calls_ = 0;       // of exchange
};

}  // namespace moesim
