// A fabric joins the NICs of all nodes. To add one: a file in fabrics/ and a line in the table
// of fabrics.cpp.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "sim/base/registry.hpp"
#include "topology/graph.hpp"
#include "topology/options.hpp"
#include "topology/path.hpp"

namespace moesim {

// A NIC and the cable to its switch. `rail` counts the NICs of a domain from 0.
struct Nic {
  VertexId vertex;
  NodeId node;
  int rail = 0;
  BytesPerSecond bandwidth{0};
  Seconds latency{0};
  LinkId up{-1};
  LinkId down{-1};
};

class Fabric {
 public:
  virtual ~Fabric() = default;

  // Appends the links between the cable of one NIC and that of another, both left out.
  // `flow` identifies the GPU pair, for hashing over equal-cost ways. No allocation.
  virtual void between(const Nic& from, const Nic& to, std::uint64_t flow,
                       Path& path) const = 0;

  // NICs of one rail meet in a switch, so crossing rails inside the node saves hops.
  [[nodiscard]] virtual bool has_rails() const { return false; }

  // No link between the NICs can be the bottleneck when every NIC sends at its full rate,
  // provided that `aligned` says whether traffic stays on its rail.
  [[nodiscard]] virtual bool is_nonblocking(bool aligned) const = 0;
};

// Adds switches and cables to the graph and fills in the NICs' `up` and `down`.
// Throws InputError when the options do not fit.
using MakeFabric = std::unique_ptr<Fabric> (*)(const ClusterOptions&, Graph&, std::span<Nic>);

std::span<const Entry<MakeFabric>> fabrics();

}  // namespace moesim
