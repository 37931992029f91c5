#include "topology/graph.hpp"

#include <utility>

namespace moesim {

std::string_view to_text(VertexKind kind) {
  constexpr std::string_view names[] = {"gpu",  "nvswitch", "pcie", "nic",
                                        "leaf", "spine",    "core", "router"};
  return names[static_cast<int>(kind)];
}

std::string_view to_text(LinkKind kind) {
  constexpr std::string_view names[] = {"nvlink", "pcie",  "nic",   "leaf",
                                        "spine",  "local", "global"};
  return names[static_cast<int>(kind)];
}

VertexId Graph::add_vertex(std::string name, VertexKind kind) {
  vertices.push_back({std::move(name), kind});
  return VertexId{vertices.size() - 1};
}

LinkId Graph::add_link(Link link) {
  links.push_back(std::move(link));
  return LinkId{links.size() - 1};
}

}  // namespace moesim
