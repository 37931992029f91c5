// The cluster as a graph: GPUs, NVSwitches, NICs and switches joined by links. A link is one
// direction of a cable, with its own bandwidth; both directions are two links.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"

namespace moesim {

using VertexId = Id<struct VertexTag>;

enum class VertexKind { gpu, nvswitch, pcie, nic, leaf, spine, core, router };
enum class LinkKind { nvlink, pcie, nic, leaf, spine, local, global };
inline constexpr int kLinkKinds = 7;

std::string_view to_text(VertexKind kind);
std::string_view to_text(LinkKind kind);

struct Vertex {
  std::string name;  // "node3.gpu1", "leaf2"
  VertexKind kind = VertexKind::leaf;
};

struct Link {
  std::string name;  // "node3.nic1.up"
  LinkKind kind = LinkKind::nvlink;
  VertexId from;
  VertexId to;
  BytesPerSecond bandwidth{0};  // infinite: never a bottleneck, left out of paths
  Seconds latency{0};
};

struct Graph {
  std::vector<Vertex> vertices;
  std::vector<Link> links;

  VertexId add_vertex(std::string name, VertexKind kind);
  LinkId add_link(Link link);
};

}  // namespace moesim
