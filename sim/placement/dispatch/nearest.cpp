// A token uses a replica on its own GPU, else one on its own node, else any; replicas equally
// near share evenly. Sources are grouped by node: the own-GPU preference is averaged over the
// GPUs of a node.
#include "sim/placement/dispatch/fixed_shares.hpp"
#include "sim/placement/dispatch/policies.hpp"

namespace moesim::dispatch {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

// Adds to `row` [layer slots] what the expert's tokens from the GPUs of `node` do, each GPU
// weighing 1 / gpus_per_node.
void add_expert(const Placement& p, int layer, int expert, int node, double* row) {
  const auto slots = p.replicas(layer, expert);
  const auto gpus = p.slot_gpus(layer);
  const auto spread = [&](double amount, auto&& is_near) {
    int near = 0;
    for (const int s : slots) near += is_near(gpus[z(s)]);
    if (near == 0) return false;
    for (const int s : slots) {
      if (is_near(gpus[z(s)])) row[s] += amount / near;
    }
    return true;
  };
  const double each = 1.0 / p.gpus_per_node();
  const auto in_node = [&](int g) { return p.node_of(g) == node; };
  double not_on_own = 0;  // sources of the node without a replica of their own
  for (int source = node * p.gpus_per_node(); source < (node + 1) * p.gpus_per_node();
       ++source) {
    if (!spread(each, [&](int g) { return g == source; })) not_on_own += each;
  }
  if (not_on_own > 0 && !spread(not_on_own, in_node)) {
    spread(not_on_own, [](int) { return true; });
  }
}

}  // namespace

std::unique_ptr<DispatchPolicy> nearest(const Placement& p, const DispatchSettings&) {
  std::vector<std::vector<double>> shares;
  for (int l = 0; l < p.layers; ++l) {
    const std::size_t slots = z(p.layer_slots(l));
    std::vector<double> rows(z(p.nodes) * slots, 0.0);
    for (int n = 0; n < p.nodes; ++n) {
      for (int e = 0; e < p.experts; ++e) add_expert(p, l, e, n, &rows[z(n) * slots]);
    }
    shares.push_back(std::move(rows));
  }
  std::vector<int> group_of_gpu;
  for (int g = 0; g < p.gpus; ++g) group_of_gpu.push_back(p.node_of(g));
  return std::make_unique<FixedShares>(p, std::move(shares), std::move(group_of_gpu),
                                       Choice::by_chance);
}

}  // namespace moesim::dispatch
