// The cluster: GPUs in nodes, joined by links, and the way from any GPU to any other. Every
// network model asks the same `path`, so they can be compared.
//
// GPUs are numbered node by node. Link and node states may change during a run (faults); the
// shape never does.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "topology/fabric.hpp"
#include "topology/graph.hpp"
#include "topology/options.hpp"
#include "topology/path.hpp"

namespace moesim {

class ShortestPaths;

// Where a GPU sits and which links it owns. A link that does not exist is LinkId{-1}.
struct GpuPlace {
  NodeId node;
  int local = 0;   // index inside the node
  int domain = 0;  // GPUs of one domain reach each other without a NIC
  int group = 0;   // index into groups()
  int nic = -1;    // index into nics(); -1: none
  VertexId vertex;
  LinkId up{-1};  // to the NVSwitch or PCIe switch
  LinkId down{-1};
  LinkId nic_up{-1};  // to the NIC, when PCIe can be the bottleneck
  LinkId nic_down{-1};
};

class Cluster {
 public:
  explicit Cluster(const ClusterOptions& options);
  ~Cluster();
  Cluster(Cluster&&) noexcept;

  [[nodiscard]] int gpus() const { return static_cast<int>(places_.size()); }
  [[nodiscard]] int nodes() const { return static_cast<int>(first_gpu_.size()) - 1; }
  [[nodiscard]] int domains() const { return domains_; }
  [[nodiscard]] int links() const { return static_cast<int>(graph_.links.size()); }

  [[nodiscard]] NodeId node_of(GpuId gpu) const { return places_[gpu.index()].node; }
  [[nodiscard]] int domain_of(GpuId gpu) const { return places_[gpu.index()].domain; }
  [[nodiscard]] const GpuPlace& place(GpuId gpu) const { return places_[gpu.index()]; }
  [[nodiscard]] GpuId first_gpu(NodeId node) const { return first_gpu_[node.index()]; }
  [[nodiscard]] int gpus_of(NodeId node) const {
    return first_gpu_[node.index() + 1].value - first_gpu_[node.index()].value;
  }
  [[nodiscard]] const GpuSpec& gpu(GpuId gpu) const { return group_of(gpu).gpu; }
  [[nodiscard]] const NodeGroupOptions& group_of(GpuId gpu) const {
    return options_.groups[static_cast<std::size_t>(places_[gpu.index()].group)];
  }
  [[nodiscard]] std::span<const NodeGroupOptions> groups() const { return options_.groups; }
  [[nodiscard]] std::span<const Nic> nics() const { return nics_; }
  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] const Fabric* fabric() const { return fabric_.get(); }
  [[nodiscard]] bool forwards() const { return forwards_; }

  [[nodiscard]] const Link& link(LinkId id) const { return graph_.links[id.index()]; }
  [[nodiscard]] BytesPerSecond bandwidth(LinkId id) const {  // as it is now
    return graph_.links[id.index()].bandwidth * scale_[id.index()];
  }
  // By name; empty when there is none.
  [[nodiscard]] std::optional<LinkId> find_link(std::string_view name) const;

  // The way that data takes now: rails, forwarding, ECMP by hash; a way around links that are
  // down. Empty for src == dst. Throws InputError when the two are cut off from each other.
  // Allocates nothing on computed fabrics without failures.
  [[nodiscard]] Path path(GpuId src, GpuId dst) const;

  // The way as if no link were down; on computed fabrics only, src != dst.
  [[nodiscard]] Path planned_path(GpuId src, GpuId dst) const;
  // Some link of the planned way is down.
  [[nodiscard]] bool detours(GpuId src, GpuId dst) const;

  // Fraction of the bandwidth that is left; 0 is down.
  void set_scale(LinkId id, double scale);
  [[nodiscard]] double scale(LinkId id) const { return scale_[id.index()]; }
  [[nodiscard]] int links_changed() const { return changed_; }  // whose scale is not 1
  [[nodiscard]] int switch_links_changed() const {  // those of them between switches
    return switch_links_changed_;
  }
  [[nodiscard]] int links_down() const { return down_; }  // whose scale is 0
  // Counts links going down and coming back: paths are the same while it is.
  [[nodiscard]] int reroutes() const { return reroutes_; }

 private:
  void computed_path(GpuId src, GpuId dst, Path& path) const;
  [[nodiscard]] GpuId exit_of(GpuId src, GpuId dst) const;  // whose NIC the data leaves by
  [[nodiscard]] const std::string& vertex_name(GpuId gpu) const;
  void index_rails();
  void check_reach() const;
  void add(Path& path, LinkId id) const;
  [[nodiscard]] bool is_cut(const Path& path) const;

  ClusterOptions options_;  // groups filled in
  Graph graph_;
  std::vector<GpuPlace> places_;  // [gpus]
  std::vector<GpuId> first_gpu_;  // [nodes + 1]
  std::vector<Nic> nics_;
  std::vector<std::vector<GpuId>> rail_gpu_;  // [domains][rails] first GPU of that rail
  std::vector<double> scale_;                 // [links]
  std::unique_ptr<Fabric> fabric_;  // none: every path is a shortest path of the graph
  std::unique_ptr<ShortestPaths> shortest_;
  int domains_ = 0;
  bool forwards_ = false;
  int changed_ = 0;  // links whose scale is not 1
  int switch_links_changed_ = 0;
  int down_ = 0;  // links whose scale is 0
  int reroutes_ = 0;
};

// Throws InputError with every fault of the options.
Cluster build_cluster(const ClusterOptions& options);

}  // namespace moesim
