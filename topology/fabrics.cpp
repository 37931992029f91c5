#include <array>

#include "topology/fabric.hpp"
#include "topology/fabrics/fabrics.hpp"

namespace moesim {

std::span<const Entry<MakeFabric>> fabrics() {
  static constexpr std::array<Entry<MakeFabric>, 2> table{{
      {"single_node", "one node, no fabric", make_single_node},
      {"rail_optimized", "one leaf switch per rail: NIC i of every node meets in leaf i",
       make_rail_optimized},
  }};
  return table;
}

}  // namespace moesim
