#include "topology/node.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace moesim {
namespace {

constexpr BytesPerSecond kUnlimited{std::numeric_limits<double>::infinity()};

struct Duplex {
  LinkId up, down;
};

// Both directions; half of the latency of the way between two such ends each.
Duplex add_duplex(Graph& graph, const std::string& name, LinkKind kind, VertexId lower,
                  VertexId upper, BytesPerSecond bandwidth, Seconds latency) {
  const LinkId up = graph.add_link({name + ".up", kind, lower, upper, bandwidth, latency / 2});
  const LinkId down =
      graph.add_link({name + ".down", kind, upper, lower, bandwidth, latency / 2});
  return {up, down};
}

class NodeBuilder {
 public:
  NodeBuilder(Graph& graph, Nodes& out) : graph_(graph), out_(out) {}

  void add(const NodeSpec& spec, int group, int domain, VertexId inside) {
    const NodeId node{out_.first_gpu.size() - 1};
    const int first_nic = static_cast<int>(out_.nics.size());
    if (domain != domain_) {
      domain_ = domain;
      domain_first_nic_ = first_nic;
    }
    const int nics = std::min(spec.nics, spec.gpus);
    add_nics(spec, node, nics);
    for (int i = 0; i < spec.gpus; ++i) {
      GpuPlace place;
      place.node = node;
      place.local = i;
      place.domain = domain;
      place.group = group;
      if (nics > 0) place.nic = first_nic + i * nics / spec.gpus;
      add_gpu(spec, place, inside);
    }
    out_.first_gpu.emplace_back(out_.places.size());
  }

 private:
  // More NICs than GPUs: the NICs of one GPU act as one.
  void add_nics(const NodeSpec& spec, NodeId node, int count) {
    for (int i = 0; i < count; ++i) {
      Nic nic;
      nic.vertex =
          graph_.add_vertex(fmt::format("node{}.nic{}", node.value, i), VertexKind::nic);
      nic.node = node;
      nic.rail = static_cast<int>(out_.nics.size()) - domain_first_nic_;
      nic.bandwidth = spec.nic_bandwidth * (static_cast<double>(spec.nics) / count);
      nic.latency = spec.nic_latency;
      out_.nics.push_back(nic);
    }
  }

  void add_gpu(const NodeSpec& spec, GpuPlace place, VertexId inside) {
    const std::string name = fmt::format("node{}.gpu{}", place.node.value, place.local);
    place.vertex = graph_.add_vertex(name, VertexKind::gpu);
    const bool nvlink = spec.nvlink_bandwidth.value > 0;
    if (inside.value >= 0) {
      const Duplex d =
          nvlink ? add_duplex(graph_, name + ".nvlink", LinkKind::nvlink, place.vertex, inside,
                              spec.nvlink_bandwidth, spec.nvlink_latency)
                 : add_duplex(graph_, name + ".pcie", LinkKind::pcie, place.vertex, inside,
                              spec.pcie_bandwidth, spec.pcie_latency);
      place.up = d.up;
      place.down = d.down;
    }
    if (place.nic >= 0) attach_nic(spec, name, nvlink || inside.value < 0, inside, place);
    out_.places.push_back(place);
  }

  // Beside an NVSwitch the GPU has its own way to its NIC; without one, both hang on the PCIe
  // switch and share the GPU's PCIe link.
  void attach_nic(const NodeSpec& spec, const std::string& name, bool own_way, VertexId inside,
                  GpuPlace& place) {
    const Nic& nic = out_.nics[static_cast<std::size_t>(place.nic)];
    if (!own_way) {
      if (attached_ != place.nic) {
        add_duplex(graph_, graph_.vertices[nic.vertex.index()].name + ".slot", LinkKind::pcie,
                   inside, nic.vertex, kUnlimited, Seconds{0});
      }
      attached_ = place.nic;
      place.nic_up = place.up;
      place.nic_down = place.down;
      return;
    }
    const bool limited = spec.pcie_bandwidth.value > 0;
    const Duplex d =
        add_duplex(graph_, name + ".pcie", LinkKind::pcie, place.vertex, nic.vertex,
                   limited ? spec.pcie_bandwidth : kUnlimited, Seconds{0});
    if (!limited) return;
    place.nic_up = d.up;
    place.nic_down = d.down;
  }

  Graph& graph_;
  Nodes& out_;
  int domain_first_nic_ = 0;
  int domain_ = -1;
  int attached_ = -1;  // the last NIC that hangs on a PCIe switch
};

}  // namespace

Nodes add_nodes(std::span<const NodeGroupOptions> groups, int nodes_per_domain, Graph& graph) {
  Nodes out;
  out.first_gpu.emplace_back(std::size_t{0});
  NodeBuilder builder(graph, out);
  VertexId inside{-1};
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const NodeSpec& spec = groups[g].node;
    const bool nvlink = spec.nvlink_bandwidth.value > 0;
    for (int n = 0; n < groups[g].nodes; ++n) {
      const bool shares = n % std::max(nodes_per_domain, 1) != 0;
      if (!shares) {
        const auto node = out.first_gpu.size() - 1;
        inside = VertexId{-1};
        if (nvlink) {
          inside = graph.add_vertex(fmt::format("node{}.nvswitch", node), VertexKind::nvswitch);
        } else if (spec.pcie_bandwidth.value > 0) {
          inside = graph.add_vertex(fmt::format("node{}.pcie", node), VertexKind::pcie);
        }
        ++out.domains;
      }
      builder.add(spec, static_cast<int>(g), out.domains - 1, inside);
    }
  }
  return out;
}

}  // namespace moesim
