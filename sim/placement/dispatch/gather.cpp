// A token with a choice uses replicas on nodes it visits anyway (because an expert of it is on
// that node only), else any; those left share evenly. Costs no traffic between nodes where that
// can be helped. Needs a sample to know the mean shares (learn()).
#include "sim/placement/dispatch/fixed_shares.hpp"
#include "sim/placement/dispatch/policies.hpp"
#include "sim/placement/node_replicas.hpp"

namespace moesim::dispatch {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

class Gather final : public FixedShares {
 public:
  explicit Gather(const Placement& p)
      : FixedShares(p, even_shares(p), std::vector<int>(z(p.gpus), 0), Choice::by_chance) {
    for (int l = 0; l < p.layers; ++l) replicas_.push_back(replicas_over_nodes(p, l));
  }

  [[nodiscard]] bool looks_at_tokens() const override { return true; }

  void learn(int layer, const TokenView& sample) override {
    const TokenGraph graph(sample, placement().experts, static_cast<int>(sample.tokens()));
    const NodeReplicas& replicas = replicas_[z(layer)];
    const auto share = node_traffic(NodeChoice::gather, graph, replicas).share;
    std::vector<double> by_slot;
    for (int s = 0; s < placement().layer_slots(layer); ++s) {
      const std::size_t i = cell(layer, s);
      by_slot.push_back(share[i] / replicas.count[i]);
    }
    set_shares(layer, std::move(by_slot));
  }

  void token_shares(int layer, std::span<const std::uint16_t> experts,
                    std::vector<SlotShare>& out) const override {
    const NodeReplicas& replicas = replicas_[z(layer)];
    forced_.assign(z(replicas.nodes), 0);
    shares_.resize(z(replicas.nodes));
    for (const int e : experts) {
      if (const int node = replicas.only_node(e); node >= 0) ++forced_[z(node)];
    }
    out.clear();
    for (const int e : experts) {
      node_shares(NodeChoice::gather, replicas.of(e), forced_, shares_);
      for (const int s : placement().replicas(layer, e)) {
        const std::size_t i = cell(layer, s);
        const double share = shares_[i % z(replicas.nodes)] / replicas.count[i];
        if (share > 0) out.push_back({s, share});
      }
    }
  }

 private:
  // Index (expert, node) of a slot in the tables of its layer.
  [[nodiscard]] std::size_t cell(int layer, int slot) const {
    const Placement& p = placement();
    return z(p.slot_experts(layer)[z(slot)]) * z(p.nodes) +
           z(p.node_of(p.slot_gpus(layer)[z(slot)]));
  }

  std::vector<NodeReplicas> replicas_;  // [layers]
  mutable std::vector<int> forced_;     // [nodes] scratch
  mutable std::vector<double> shares_;  // [nodes] scratch
};

}  // namespace

std::unique_ptr<DispatchPolicy> gather(const Placement& p, const DispatchSettings&) {
  return std::make_unique<Gather>(p);
}

}  // namespace moesim::dispatch
