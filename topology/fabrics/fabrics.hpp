// One function per fabric, each in its own file.
#pragma once

#include "topology/fabric.hpp"

namespace moesim {

std::unique_ptr<Fabric> make_single_node(const ClusterOptions&, Graph&, std::span<Nic>);
std::unique_ptr<Fabric> make_rail_optimized(const ClusterOptions&, Graph&, std::span<Nic>);
std::unique_ptr<Fabric> make_fat_tree(const ClusterOptions&, Graph&, std::span<Nic>);
std::unique_ptr<Fabric> make_nvl_domain(const ClusterOptions&, Graph&, std::span<Nic>);
std::unique_ptr<Fabric> make_dragonfly(const ClusterOptions&, Graph&, std::span<Nic>);
// No object: paths are shortest paths.
std::unique_ptr<Fabric> make_explicit(const ClusterOptions&, Graph&, std::span<Nic>);

}  // namespace moesim
