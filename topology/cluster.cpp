#include "topology/cluster.hpp"

#include <algorithm>

#include "topology/check.hpp"
#include "topology/import.hpp"
#include "topology/node.hpp"
#include "topology/shortest_paths.hpp"

namespace moesim {

Cluster::Cluster(const ClusterOptions& options) : options_(imported(options)) {
  if (options_.groups.empty()) {
    options_.groups.push_back({"", options_.gpu, options_.node, options_.nodes});
  }
  check_cluster(options_);
  const MakeFabric make = find_entry(fabrics(), options_.fabric, "fabric").make;
  Nodes nodes = add_nodes(
      options_.groups, options_.fabric == "nvl_domain" ? options_.nodes_per_domain : 1, graph_);
  places_ = std::move(nodes.places);
  first_gpu_ = std::move(nodes.first_gpu);
  nics_ = std::move(nodes.nics);
  domains_ = nodes.domains;
  fabric_ = make(options_, graph_, nics_);
  forwards_ = options_.nvlink_forwarding && fabric_ && fabric_->has_rails();
  scale_.assign(graph_.links.size(), 1.0);
  shortest_ = std::make_unique<ShortestPaths>();
  index_rails();
  if (!fabric_) check_reach();
}

// Shortest-path fabrics only: the others join every NIC.
void Cluster::check_reach() const {
  Diagnostics out;
  for (int g = 1; g < gpus(); ++g) {
    try {
      static_cast<void>(path(GpuId{0}, GpuId{g}));
      static_cast<void>(path(GpuId{g}, GpuId{0}));
    } catch (const InputError& error) {
      const Diagnostic& d = error.diagnostics().front();
      out.error({}, d.message, "a cable that joins them (cluster.links)", d.hint);
      if (out.all().size() == 8) break;  // the rest says the same
    }
  }
  shortest_->forget();
  out.throw_if_errors();
}

Cluster::~Cluster() = default;
Cluster::Cluster(Cluster&&) noexcept = default;

void Cluster::index_rails() {
  rail_gpu_.resize(static_cast<std::size_t>(domains_));
  for (int g = 0; g < gpus(); ++g) {
    const GpuPlace& place = places_[static_cast<std::size_t>(g)];
    if (place.nic < 0) continue;
    auto& rails = rail_gpu_[static_cast<std::size_t>(place.domain)];
    const auto rail = static_cast<std::size_t>(nics_[static_cast<std::size_t>(place.nic)].rail);
    if (rails.size() == rail) rails.emplace_back(g);  // the rail's first GPU
  }
}

std::optional<LinkId> Cluster::find_link(std::string_view name) const {
  const auto found = std::find_if(graph_.links.begin(), graph_.links.end(),
                                  [&](const Link& link) { return link.name == name; });
  if (found == graph_.links.end()) return std::nullopt;
  return LinkId{static_cast<std::size_t>(found - graph_.links.begin())};
}

void Cluster::add(Path& path, LinkId id) const {
  path.latency += graph_.links[id.index()].latency;
  path.add(id);
}

GpuId Cluster::exit_of(GpuId src, GpuId dst) const {
  if (!forwards_) return src;
  const GpuPlace& from = place(src);
  const int rail = nics_[static_cast<std::size_t>(place(dst).nic)].rail;
  if (nics_[static_cast<std::size_t>(from.nic)].rail == rail) return src;
  const auto& rails = rail_gpu_[static_cast<std::size_t>(from.domain)];
  return static_cast<std::size_t>(rail) < rails.size() ? rails[static_cast<std::size_t>(rail)]
                                                       : src;
}

void Cluster::computed_path(GpuId src, GpuId dst, Path& path) const {
  const GpuPlace& from = place(src);
  const GpuPlace& to = place(dst);
  if (from.domain == to.domain) {
    add(path, from.up);
    add(path, to.down);
    return;
  }
  const GpuId exit = exit_of(src, dst);
  const GpuPlace& out = place(exit);
  if (exit != src) {
    add(path, from.up);
    add(path, out.down);
  }
  const Nic& a = nics_[static_cast<std::size_t>(out.nic)];
  const Nic& b = nics_[static_cast<std::size_t>(to.nic)];
  if (out.nic_up.value >= 0) add(path, out.nic_up);
  add(path, a.up);
  const auto flow = static_cast<std::uint64_t>(src.value) * places_.size() + dst.index();
  fabric_->between(a, b, flow, path);
  add(path, b.down);
  if (to.nic_down.value >= 0) add(path, to.nic_down);
}

bool Cluster::is_cut(const Path& path) const {
  return down_ > 0 && std::any_of(path.links().begin(), path.links().end(),
                                  [&](LinkId id) { return scale_[id.index()] == 0; });
}

Path Cluster::planned_path(GpuId src, GpuId dst) const {
  Path path;
  computed_path(src, dst, path);
  return path;
}

bool Cluster::detours(GpuId src, GpuId dst) const {
  return src != dst && down_ > 0 && is_cut(planned_path(src, dst));
}

Path Cluster::path(GpuId src, GpuId dst) const {
  Path path;
  if (src == dst) return path;
  if (fabric_ || place(src).domain == place(dst).domain) {
    computed_path(src, dst, path);
    if (!is_cut(path)) return path;
    path.clear();
  }
  if (!shortest_->append(graph_, scale_, place(src).vertex, place(dst).vertex, path)) {
    throw InputError(vertex_name(src) + " cannot reach " + vertex_name(dst),
                     "a cluster in which every GPU reaches every other",
                     down_ > 0 ? std::to_string(down_) + " links are down" : "");
  }
  return path;
}

const std::string& Cluster::vertex_name(GpuId gpu) const {
  return graph_.vertices[place(gpu).vertex.index()].name;
}

void Cluster::set_scale(LinkId id, double scale) {
  double& old = scale_[id.index()];
  const LinkKind kind = graph_.links[id.index()].kind;
  const bool access =
      kind == LinkKind::nvlink || kind == LinkKind::pcie || kind == LinkKind::nic;
  changed_ += (scale != 1) - (old != 1);
  if (!access) switch_links_changed_ += (scale != 1) - (old != 1);
  down_ += (scale == 0) - (old == 0);
  if ((scale == 0) != (old == 0)) {
    ++reroutes_;
    shortest_->forget();
  }
  old = scale;
}

Cluster build_cluster(const ClusterOptions& options) { return Cluster(options); }

}  // namespace moesim
