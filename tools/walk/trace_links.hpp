// How much NICs and switch links are used, as counters of a timeline: of a node's process for
// its own links, of "fabric" for the others. NVLinks are left out: they are many, and each
// GPU's dispatch and combine say as much.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "tools/report/trace.hpp"
#include "topology/cluster.hpp"

namespace moesim {

// The processes of a cluster's nodes and of what joins them.
struct NodeTracks {
  std::vector<TraceTrack> nodes;
  TraceTrack fabric;
};

// The counters that one instance writes: of its nodes' links, and of the fabric.
class LinkTracks {
 public:
  LinkTracks() = default;
  LinkTracks(TraceFile& trace, const Cluster& cluster, const NodeTracks& nodes, NodeId first,
             NodeId last);

  // Bytes between `before` and `after` [links] over the links' peaks, for [begin, end]. Other
  // instances' bytes on the fabric count whole with the step in which they are sent.
  void count(TraceFile& trace, std::span<const double> before, std::span<const double> after,
             Seconds begin, Seconds end);
  // Nothing is sent from here on.
  void pause(TraceFile& trace, Seconds at);
  [[nodiscard]] std::size_t size() const { return lines_.size(); }

 private:
  struct Line {
    LinkId link;
    BytesPerSecond bandwidth;
    TraceTrack track;
    double shown = -1;
  };
  std::vector<Line> lines_;
};

}  // namespace moesim
