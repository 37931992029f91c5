#include "sim/simgrid/platform.hpp"

#include <cmath>
#include <csignal>
#include <simgrid/kernel/routing/NetPoint.hpp>
#include <simgrid/kernel/routing/NetZoneImpl.hpp>
#include <simgrid/s4u.hpp>

namespace moesim {
namespace {

namespace routing = simgrid::kernel::routing;

class ClusterZone : public routing::NetZoneImpl {
 public:
  ClusterZone(const std::string& name, const Cluster& cluster,
              const std::vector<simgrid::s4u::Link*>& links)
      : NetZoneImpl(name), cluster_(cluster), links_(links) {}

  // Hosts are created GPUs first, then one gate per link: a net point's id says which it is.
  void get_local_route(const routing::NetPoint* src, const routing::NetPoint* dst,
                       routing::Route* into, double*) override {
    if (const auto gpus = static_cast<std::size_t>(cluster_.gpus()); src->id() >= gpus) {
      into->link_list_.push_back(links_[src->id() - gpus]->get_impl());
      return;
    }
    const Path path = cluster_.path(GpuId{src->id()}, GpuId{dst->id()});
    for (const LinkId id : path.links()) {
      into->link_list_.push_back(links_[id.index()]->get_impl());
    }
  }

 private:
  const Cluster& cluster_;
  const std::vector<simgrid::s4u::Link*>& links_;
};

// The settings and why: CM02 is plain max-min sharing (LV08 multiplies latency by 13.01 and
// bandwidth by .97); cross traffic would add 4.7 %; TCP-gamma would cap the rate of a flow.
void configure(Solver solver) {
  using simgrid::s4u::Engine;
  Engine::set_config("network/model:CM02");
  Engine::set_config("network/crosstraffic:no");
  Engine::set_config("network/TCP-gamma:1e30");
  Engine::set_config(solver == Solver::full ? "network/optim:Full" : "network/optim:Lazy");
  Engine::set_config("network/loopback-lat:0");
  Engine::set_config("network/loopback-bw:1e30");
  Engine::set_config("surf/precision:1e-15");
  Engine::set_config("maxmin/precision:1e-12");
}

}  // namespace

bool Platform::exists() { return simgrid::s4u::Engine::has_instance(); }

Platform::Platform(Cluster& cluster, Solver solver) {
  MOESIM_LAW(!exists(), "a process has one SimGrid engine, whose clock never resets");
  static int argc = 2;
  static char name[] = "moesim";
  static char quiet[] = "--log=root.thresh:error";
  static char* argv[] = {name, quiet, nullptr};
  struct sigaction interrupt {};
  sigaction(SIGINT, nullptr, &interrupt);
  new simgrid::s4u::Engine(&argc, argv);  // owned by SimGrid until the process ends
  // SimGrid takes Ctrl-C to print its actors and exit; whoever watched for it before goes on.
  sigaction(SIGINT, &interrupt, nullptr);
  configure(solver);
  links_.resize(static_cast<std::size_t>(cluster.links()), nullptr);
  auto* zone = new ClusterZone("cluster", cluster, links_);  // owned by the engine
  for (int g = 0; g < cluster.gpus(); ++g) {
    hosts_.push_back(zone->get_iface()->create_host("gpu" + std::to_string(g), 1.0)->seal());
  }
  for (int i = 0; i < cluster.links(); ++i) {
    const Link& link = cluster.link(LinkId{i});
    if (!std::isfinite(link.bandwidth.value)) continue;
    links_[static_cast<std::size_t>(i)] =
        zone->get_iface()
            ->create_link(link.name, link.bandwidth.value * kGrainsPerByte)
            ->set_latency(0.0)
            ->seal();
    const double scale = cluster.scale(LinkId{i});
    if (scale > 0 && scale != 1) {
      links_[static_cast<std::size_t>(i)]->set_bandwidth(cluster.bandwidth(LinkId{i}).value *
                                                         kGrainsPerByte);
    }
  }
  for (int i = 0; i < cluster.links(); ++i) {
    gates_.push_back(zone->get_iface()->create_host("gate" + std::to_string(i), 1.0)->seal());
  }
  zone->get_iface()->seal();
}

}  // namespace moesim
