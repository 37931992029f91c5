#include <array>

#include "topology/fabric.hpp"
#include "topology/fabrics/fabrics.hpp"

namespace moesim {

std::span<const Entry<MakeFabric>> fabrics() {
  static constexpr std::array<Entry<MakeFabric>, 6> table{{
      {"single_node", "one node, no fabric", make_single_node},
      {"rail_optimized", "one leaf switch per rail: NIC i of every node meets in leaf i",
       make_rail_optimized},
      {"fat_tree", "k-ary tree, or leaves of whole nodes under spines", make_fat_tree},
      {"nvl_domain", "NVLink domains of several nodes, joined by rails", make_nvl_domain},
      {"dragonfly", "groups of routers, all joined, minimal routing", make_dragonfly},
      {"explicit", "cables as written in cluster.links", make_explicit},
  }};
  return table;
}

}  // namespace moesim
