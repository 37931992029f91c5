// The seam to the event engine: a clock, timers, and flows that share links.
//
// Protocol: schedule the first timers, call `run` once; callbacks schedule more. Timers at the
// same time fire in the order in which they were set. A flow that finishes at the same time as
// a timer is reported after it. Everything is deterministic.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "sim/base/units.hpp"
#include "topology/cluster.hpp"

namespace moesim {

// Data from one GPU to another along Cluster::path. `work` is what the links feel: the bytes
// over the transport's efficiency; zero means `bytes`.
struct Flow {
  GpuId src;
  GpuId dst;
  Bytes bytes{0};
  Bytes work{0};

  [[nodiscard]] Bytes load() const { return work.value > 0 ? work : bytes; }
};

// What one link carries of a collective, whatever the flows.
struct LinkLoad {
  LinkId link;
  Bytes work{0};
  Seconds latency{0};  // before it starts
};

class Machine {
 public:
  using Callback = std::function<void()>;
  // finish[i]: when flow i arrived.
  using FlowsDone = std::function<void(std::span<const Seconds> finish)>;

  virtual ~Machine() = default;

  [[nodiscard]] virtual Seconds now() const = 0;
  virtual void at(Seconds when, Callback callback) = 0;  // `when` >= now()
  void after(Seconds delay, Callback callback) { at(now() + delay, std::move(callback)); }

  // Starts flows now: each travels its path's latency, then shares every link of its path
  // max-min fairly with all other flows of the machine. Zero bytes and flows to self arrive
  // after the latency. Throws InputError when two GPUs are cut off from each other.
  virtual void start(std::vector<Flow> flows, FlowsDone done) = 0;

  // Like `start` for a collective known by its link loads: after its latency every load crosses
  // its own link alone, and shares it as one flow. finish[i]: when load i was through.
  virtual void carry(std::vector<LinkLoad> loads, FlowsDone done) = 0;

  // From now on the link has this fraction of its bandwidth. 0: flows on it are sent again
  // from the point reached along another way, or InputError says what is cut off.
  virtual void set_scale(LinkId link, double scale) = 0;

  // What others leave of every link's bandwidth from now on: flows share that. [links], above
  // 0; all of it until the first call.
  virtual void leave(std::span<const double> share) = 0;

  // Calls visit(links, work left) for every flow on its way, in the order in which they began.
  using VisitFlow = std::function<void(std::span<const LinkId>, Bytes left)>;
  virtual void each_flow(const VisitFlow& visit) const = 0;

  virtual void run() = 0;   // until nothing is left to do, or `stop`
  virtual void stop() = 0;  // returns from `run` after the current callback
};

// A load cannot go around its link: throws InputError that names the link.
[[noreturn]] void throw_dead(const Cluster& cluster, LinkId link);

// `cluster` outlives the machine; set_scale changes it. Without a cluster there are only
// timers. `window` as in FlowNetwork; 0 is exact.
std::unique_ptr<Machine> make_analytic_machine();
std::unique_ptr<Machine> make_analytic_machine(Cluster& cluster, double window = 0);

}  // namespace moesim
