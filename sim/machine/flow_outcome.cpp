#include "sim/machine/flow_outcome.hpp"

#include <algorithm>

namespace moesim {

Outcome FlowOutcome::of(const Traffic& traffic, std::span<const Flow> flows,
                        std::span<const Seconds> ends, LinkLedger* ledger, Seconds start) {
  const Cluster& cluster = traffic.ranks->cluster();
  rank_of_.assign(static_cast<std::size_t>(cluster.gpus()), 0);
  for (std::size_t r = 0; r < traffic.ranks->gpus().size(); ++r) {
    rank_of_[traffic.ranks->gpus()[r].index()] = static_cast<int>(r);
  }
  Outcome out;
  finish_.assign(traffic.ranks->gpus().size(), traffic.overhead);
  for (std::size_t f = 0; f < flows.size(); ++f) {
    for (const GpuId gpu : {flows[f].src, flows[f].dst}) {
      Seconds& finish = finish_[static_cast<std::size_t>(rank_of_[gpu.index()])];
      finish = std::max(finish, traffic.overhead + ends[f]);
    }
  }
  for (const Seconds finish : finish_) out.makespan = std::max(out.makespan, finish);
  out.finish = finish_;

  if (ledger != nullptr) ledger->open(start, start + out.makespan);
  work_.assign(static_cast<std::size_t>(cluster.links()), 0.0);
  for (const Flow& flow : flows) {
    const std::size_t pair =
        traffic.ranks->pair(rank_of_[flow.src.index()], rank_of_[flow.dst.index()]);
    for (const std::uint32_t l : traffic.ranks->paths().links(pair)) {
      work_[l] += flow.load().value;
      if (ledger == nullptr) continue;
      ledger->add(LinkId{static_cast<int>(l)}, flow.bytes.value, flow.load().value);
    }
  }
  find_busiest(cluster, out);
  return out;
}

void FlowOutcome::find_busiest(const Cluster& cluster, Outcome& out) const {
  double longest = 0;
  for (std::size_t i = 0; i < work_.size(); ++i) {
    if (work_[i] <= 0) continue;
    const double seconds = work_[i] / cluster.bandwidth(LinkId{i}).value;
    if (seconds <= longest) continue;
    longest = seconds;
    out.busiest = LinkId{i};
  }
  if (out.makespan.value > 0) out.utilization = longest / out.makespan.value;
}

}  // namespace moesim
