// From what an MoE layer asks (DispatchDemand) to what the links carry (Traffic).
//
//   pairwise     each (token, GPU that holds one of its experts) once
//   node_dedup   once per destination domain over the network, then per GPU inside it
//   low_latency  one message per (token, expert), straight to its GPU
//   nccl         an all-to-all whose pairs are all as large as the largest
//
// Combine sends the same rows back the same way.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "sim/base/registry.hpp"
#include "sim/machine/demand.hpp"
#include "sim/machine/traffic.hpp"
#include "sim/machine/transport_fit.hpp"

namespace moesim {

enum class Pattern { per_rank, per_domain, per_expert, padded };

// Throws InputError that lists what there is.
Pattern parse_transport(std::string_view name);
std::span<const Entry<Pattern>> transports();
std::string_view to_text(Pattern pattern);

// One MoE layer's two all-to-alls. The traffic refers to the demand and to this object and is
// valid until the next call. Allocates nothing after the first call.
class LayerExchange {
 public:
  // `ranks` outlives this object.
  LayerExchange(const RankGroup& ranks, Pattern pattern, const TransportFit& fit,
                double experts_per_rank = 0);

  // `row`: bytes of one token on the wire, scales included. The demand's nodes are the group's
  // domains. Throws BrokenLaw when the demand contradicts itself.
  const Traffic& dispatch(const DispatchDemand& demand, Bytes row);
  const Traffic& combine(const DispatchDemand& demand, Bytes row);

  // The same in two steps, so that both all-to-alls look at the demand once: it must live and
  // stay as it is until the second.
  void take(const DispatchDemand& demand);
  const Traffic& dispatch(Bytes row);
  const Traffic& combine(Bytes row);
  // What of a demand the transport reads; the rest may be left empty.
  [[nodiscard]] DemandShares asks() const;

 private:
  const Traffic& fill(Bytes row, Direction direction, const TransportCost& cost);
  void check(const DispatchDemand& demand) const;
  // Of one token of a group, over all ranks or nodes.
  struct RowSums {
    double assigned = 0;  // experts
    double reached = 0;   // ranks
    double crossed = 0;   // nodes
  };
  // Adds up each row and holds it against what its tokens are: top_k assignments, and no rank
  // or node reached more often than that or than once.
  void check_rows(const DispatchDemand& demand);
  [[nodiscard]] Bytes largest_pair(const DispatchDemand& demand);
  // What a GPU would take on average at the links' full bandwidth.
  struct Even {
    Seconds local{0};
    Seconds network{0};
  };
  [[nodiscard]] Even even(const DispatchDemand& demand);
  void follow_curve(Seconds local);

  const RankGroup* ranks_;
  Pattern pattern_;
  TransportFit fit_;
  double experts_per_rank_;
  BytesPerSecond local_bandwidth_{0};       // of a GPU
  BytesPerSecond network_bandwidth_{0};     // of a GPU
  std::vector<double> weight_;              // [ranks]
  std::vector<double> group_weight_;        // [groups] sum, or largest
  std::vector<RowSums> sums_;               // [groups]
  const DispatchDemand* demand_ = nullptr;  // the one taken
  Traffic traffic_;
};

}  // namespace moesim
