#include "sim/simgrid/collective.hpp"

#include <algorithm>

#include "sim/machine/bound.hpp"
#include "sim/machine/flow_outcome.hpp"
#include "sim/simgrid/in_child.hpp"
#include "sim/simgrid/machine.hpp"

namespace moesim {
namespace {

std::vector<double> values(std::span<const Seconds> times) {
  std::vector<double> out;
  for (const Seconds t : times) out.push_back(t.value);
  return out;
}

// A change of a child's copy of the cluster never reaches the parent.
Cluster& childs_own(const Cluster& cluster) { return const_cast<Cluster&>(cluster); }

// One comm per flow, everything solved anew at every event: the reference.
class FlowsModel : public CollectiveModel {
 public:
  Outcome time(const Traffic& traffic, LinkLedger* ledger, Seconds start) override {
    const std::vector<Flow> flows = flows_of(traffic);
    const auto ends = in_child([&] {
      std::vector<double> out;
      const auto machine =
          make_simgrid_machine(childs_own(traffic.ranks->cluster()), Solver::full);
      machine->start(flows, [&](std::span<const Seconds> finish) { out = values(finish); });
      machine->run();
      return out;
    });
    MOESIM_LAW(ends.size() == flows.size(), "every flow arrives");
    std::vector<Seconds> times;
    for (const double end : ends) times.emplace_back(end);
    return outcome_.of(traffic, flows, times, ledger, start);
  }

 private:
  FlowOutcome outcome_;
};

// One comm per loaded link.
class LinksModel : public CollectiveModel {
 public:
  Outcome time(const Traffic& traffic, LinkLedger* ledger, Seconds start) override {
    Outcome out = bound_.time(traffic, ledger, start);
    const CollectiveLoads& all = bound_.loads(traffic);
    std::vector<LinkLoad> loads;
    for (const auto& load : all.loads)
      loads.push_back({load.link, Bytes{load.work}, load.latency});
    const auto ends = in_child([&] {
      std::vector<double> finish;
      const auto machine = make_simgrid_machine(childs_own(traffic.ranks->cluster()));
      machine->carry(loads, [&](auto times) { finish = values(times); });
      machine->run();
      return finish;
    });
    MOESIM_LAW(ends.size() == loads.size(), "every load arrives");
    const double last = ends.empty() ? 0 : *std::max_element(ends.begin(), ends.end());
    const Seconds busy = out.makespan * out.utilization;
    out.makespan = traffic.overhead + Seconds{last};
    if (out.makespan.value > 0) out.utilization = busy / out.makespan;
    return out;
  }

 private:
  BoundModel bound_;
};

}  // namespace

std::span<const Entry<MakeCollectiveModel>> all_collective_models() {
  static const auto table = [] {
    const auto own = collective_models();
    std::vector<Entry<MakeCollectiveModel>> all(own.begin(), own.end());
    all.push_back(
        {"simgrid_links", "SimGrid, one comm per loaded link",
         []() -> std::unique_ptr<CollectiveModel> { return std::make_unique<LinksModel>(); }});
    all.push_back(
        {"simgrid_flows", "SimGrid, one comm per flow: the reference",
         []() -> std::unique_ptr<CollectiveModel> { return std::make_unique<FlowsModel>(); }});
    return all;
  }();
  return table;
}

}  // namespace moesim
