// What a simulation does when GPUs slow down, go and come back.
//
// A GPU that goes takes its attention rank's requests and its experts. The instance abandons
// the step in hand and stands still for serving.recovery_time; then it goes on without the GPU,
// the lost experts on others. Where it cannot (no attention rank is left, or no memory for the
// experts), it is down until the GPUs are back. GPUs that come back join at once: their weights
// were loaded beside serving. In a pipeline the GPUs of the same place in all stages live and
// die together: the requests of an attention rank need them all. Only an instance that was down
// needs the recovery time again.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/serving/lost_experts.hpp"
#include "sim/serving/simulation.hpp"

namespace moesim {

void Simulation::schedule_all_faults() {
  for (const FaultOptions& fault : deployment_.faults) {
    if (fault.speed == 0 && fault.lasts.value >= 0) ++returns_expected_;
  }
  FaultHooks hooks;
  hooks.begins = [this](const FaultOptions& fault) {
    const bool ends = fault.lasts.value >= 0;
    incidents_.push_back(
        {fault.at, ends ? fault.at + fault.lasts : Seconds{-1}, "fault", describe(fault)});
  };
  hooks.speed = [this](std::span<const GpuId> gpus, double speed) {
    speed_changed(gpus, speed);
  };
  hooks.returns = [this] {
    --returns_expected_;
    release_held();
  };
  schedule_faults(deployment_.faults, machine_, deployment_.cluster, hooks);
}

void Simulation::speed_changed(std::span<const GpuId> gpus, double speed) {
  health_.set_speed(gpus, speed);
  for (int id = 0; id < instances(); ++id) {
    const int first = first_gpu(id).value;
    const int end = first + pool(id).parallel.gpus;
    const bool hit =
        std::ranges::any_of(gpus, [&](GpuId g) { return g.value >= first && g.value < end; });
    if (hit) update_health(id);
  }
}

// [gpus of a stage / gpus_per_rank] ranks that lack a GPU, in whatever stage.
std::vector<bool> Simulation::ranks_gone(int id, int gpus_per_rank) const {
  const std::vector<bool>& gone = site(id).gone;
  const auto each = static_cast<std::size_t>(gpus_per_rank);
  const auto gpus = static_cast<std::size_t>(pool(id).parallel.stage_gpus());
  std::vector<bool> ranks(gpus / each, false);
  for (std::size_t g = 0; g < gone.size(); ++g) {
    if (gone[g]) ranks[g % gpus / each] = true;
  }
  return ranks;
}

void Simulation::update_health(int id) {
  const auto i = static_cast<std::size_t>(id);
  Site& here = sites_[i];
  Instance& instance = *instances_[i];
  const Parallelism& parallel = pool(id).parallel;
  instance.model().set_slowdown(health_.slowdown(here.first.value, parallel.gpus));
  const std::vector<bool> gone = health_.gone(here.first.value, parallel.gpus);
  if (gone == here.gone) return;
  bool more = false;
  for (std::size_t g = 0; g < gone.size(); ++g) more = more || (gone[g] && !here.gone[g]);
  if (!rebalancers_.empty()) rebalancers_[i]->cancel();
  here.gone = gone;
  ++here.outages;
  here.recovering = false;
  if (!more && !instance.halted()) {  // some are back, and it never stopped
    give_up(instance.lose_ranks(ranks_gone(id, parallel.tp)));
    lay_out(id);
    return;
  }
  if (!instance.halted()) instance.halt();
  std::vector<bool> ranks = ranks_gone(id, parallel.tp);
  here.recovering = can_go_on(id);
  if (!here.recovering || instance.down()) ranks.assign(ranks.size(), true);
  if (here.recovering) {
    machine_.after(deployment_.serving.recovery_time, [this, id, outage = here.outages] {
      if (site(id).outages == outage) recover(id);
    });
  }
  give_up(instance.lose_ranks(ranks));
  note_queues(machine_.now());
}

Placement Simulation::placement_left(int id) const {
  const auto i = static_cast<std::size_t>(id);
  const auto& tokens = moe_[i]->totals().tokens;
  const std::vector<double> weights(tokens.begin(), tokens.end());
  const Placement& before = site(id).healthy ? *site(id).healthy : moe_[i]->placement();
  return placement_without(before, ranks_gone(id, pool(id).parallel.moe_tp), weights);
}

bool Simulation::can_go_on(int id) const {
  const Parallelism& parallel = pool(id).parallel;
  const auto all = [](const std::vector<bool>& gone) {
    return std::ranges::all_of(gone, [](bool g) { return g; });
  };
  if (all(ranks_gone(id, parallel.tp))) return false;
  if (moe_.empty()) return true;
  if (all(ranks_gone(id, parallel.moe_tp))) return false;
  return memory_with(id, most_slots(placement_left(id))).kv_blocks > 0;
}

MemoryPlan Simulation::memory_with(int id, int slots_per_gpu) const {
  return plan_memory(deployment_.model, pool(id).parallel, pool(id).serving, slots_per_gpu,
                     pool(id).memory.capacity);
}

void Simulation::recover(int id) {
  Instance& instance = *instances_[static_cast<std::size_t>(id)];
  sites_[static_cast<std::size_t>(id)].recovering = false;
  give_up(instance.lose_ranks(ranks_gone(id, pool(id).parallel.tp)));
  lay_out(id);
  instance.resume(Cause::fault);
  release_held();
}

// Puts the experts on the GPUs that are there.
void Simulation::lay_out(int id) {
  if (moe_.empty()) return;
  const auto i = static_cast<std::size_t>(id);
  Site& here = sites_[i];
  const bool whole = std::ranges::none_of(here.gone, [](bool g) { return g; });
  if (whole) {
    if (here.healthy) moe_[i]->use(std::move(*here.healthy));
    here.healthy.reset();
  } else {
    Placement left = placement_left(id);
    if (!here.healthy) here.healthy = moe_[i]->placement();
    moe_[i]->use(std::move(left));
  }
  const MemoryPlan memory = memory_with(id, most_slots(moe_[i]->placement()));
  for (const RankRequest& r : instances_[i]->resize_kv(memory.kv_blocks)) fail(r);
}

void Simulation::give_up(const std::vector<RankRequest>& requests) {
  for (const RankRequest& request : requests) {
    if (deployment_.serving.on_failure == "fail") {
      fail(request);
    } else {
      ++retries_;
      resubmit(request);
    }
  }
}

void Simulation::resubmit(RankRequest request) {
  request.waits_for = Cause::fault;
  const BalanceKey key{static_cast<std::uint64_t>(request.domain), 0};
  const std::optional<int> id = pick(entry_, key, balance_state_);
  if (id) {
    instances_[static_cast<std::size_t>(*id)]->accept(request, key);
  } else if (awaits_return()) {
    held_.retries.push_back(request);
  } else {
    fail(request);
  }
}

void Simulation::fail(const RankRequest& request) {
  const RequestId id{request.request};
  recorder_->failed(id, machine_.now());
  blame_->dropped(id);
  request_done(machine_.now());
}

bool Simulation::awaits_return() const {
  return returns_expected_ > 0 ||
         std::ranges::any_of(sites_, [](const Site& s) { return s.recovering; });
}

// To an instance that is back, or away if none will be.
void Simulation::release_held() {
  const Held held = std::exchange(held_, {});
  for (const RankRequest& request : held.retries) resubmit(request);
  for (const Request& request : held.arrivals) submit(request);
}

}  // namespace moesim
