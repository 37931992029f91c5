// Shortest paths by latency on the graph, links that are down left out: for explicit fabrics,
// and around failures on the others.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "topology/graph.hpp"
#include "topology/path.hpp"

namespace moesim {

class ShortestPaths {
 public:
  // Appends the links from src to dst; false when there is no way. `scale` has one fraction of
  // bandwidth per link, 0 is down. One tree per source is kept until `forget`.
  bool append(const Graph& graph, std::span<const double> scale, VertexId src, VertexId dst,
              Path& path);
  void forget() { trees_.clear(); }

 private:
  std::map<VertexId, std::vector<LinkId>> trees_;  // source -> link into each vertex, or -1
};

}  // namespace moesim
