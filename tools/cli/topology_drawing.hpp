// The cluster as a picture: DOT for graphviz, or SVG.
#pragma once

#include <string>

#include "topology/cluster.hpp"

namespace moesim {

std::string draw_dot(const Cluster& cluster);
// Rows of boxes by kind, GPUs at the bottom.
std::string draw_svg(const Cluster& cluster);

}  // namespace moesim
