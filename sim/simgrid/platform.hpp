// The cluster as a SimGrid platform: one host per GPU, one link per link, routes asked of
// Cluster::path through a zone of our own, so there is no table and every network model sees
// the same ways.
#pragma once

#include <vector>

#include "topology/cluster.hpp"

namespace simgrid::s4u {
class Host;
class Link;
}  // namespace simgrid::s4u

namespace moesim {

// SimGrid takes payloads as whole numbers: it gets grains, so that a byte can be divided.
inline constexpr double kGrainsPerByte = 1024;

// How SimGrid 3.32 shares links between flows. lazy: only what changed is solved again; exact
// because our routes have no latency and comms start by timers. full: everything, the
// reference.
enum class Solver { lazy, full };

// SimGrid's engine is one per process and its clock never resets: one platform per process.
class Platform {
 public:
  // `cluster` outlives the process's simulation. Throws BrokenLaw on a second platform.
  Platform(Cluster& cluster, Solver solver);

  [[nodiscard]] simgrid::s4u::Host* host(GpuId gpu) const { return hosts_[gpu.index()]; }
  // A comm from gate(link) to any GPU crosses that link alone.
  [[nodiscard]] simgrid::s4u::Host* gate(LinkId link) const { return gates_[link.index()]; }
  [[nodiscard]] simgrid::s4u::Link* link(LinkId link) const { return links_[link.index()]; }
  static bool exists();

 private:
  std::vector<simgrid::s4u::Host*> hosts_;
  std::vector<simgrid::s4u::Host*> gates_;
  std::vector<simgrid::s4u::Link*> links_;  // null: unlimited, never in a path
};

}  // namespace moesim
