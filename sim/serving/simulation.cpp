#include "sim/serving/simulation.hpp"

#include <algorithm>
#include <utility>

namespace moesim {

void Simulation::run(const Watch& watch) {
  watch_ = watch;
  if (source_->closed_loop()) {
    while (std::optional<Request> request = source_->next()) {
      machine_.at(request->arrival, [this, r = *request] { arrive(r); });
    }
  } else {
    await_next();
  }
  machine_.run();
  end_ = machine_.now();
  timeline_->close(end_);
}

// Open loop: one arrival is scheduled at a time, so that a million requests need no memory.
void Simulation::await_next() {
  std::optional<Request> request = source_->next();
  if (!request) {
    all_arrived_ = true;
    return;
  }
  machine_.at(request->arrival, [this, r = *request] {
    arrive(r);
    await_next();
  });
}

void Simulation::arrive(const Request& request) {
  const Seconds now = machine_.now();
  recorder_->arrived(request.id, now, request.tenant, request.input_tokens,
                     request.output_tokens);
  // A host time of the user's own replaces all that the profile says of the host.
  const bool own = deployment_.serving.step_overhead.value >= 0;
  const Seconds delay = own ? Seconds{0} : costs().request_overhead();
  if (delay.value > 0) {
    machine_.after(delay, [this, request] { submit(request); });
  } else {
    submit(request);
  }
}

std::optional<int> Simulation::pick(const std::vector<int>& among, const BalanceKey& key,
                                    BalanceState& state) {
  std::vector<Candidate> candidates;
  bool any = false;
  for (const int id : among) {
    candidates.push_back(instances_[static_cast<std::size_t>(id)]->candidate());
    any = any || candidates.back().available;
  }
  if (!any) return std::nullopt;
  return among[balance_(candidates, key, state)];
}

void Simulation::submit(const Request& request) {
  const Seconds now = machine_.now();
  const int domain = domain_of_tenant_[static_cast<std::size_t>(request.tenant)];
  const BalanceKey key{static_cast<std::uint64_t>(domain), request.prefix};
  const std::optional<int> id = pick(entry_, key, balance_state_);
  if (!id && awaits_return()) {
    held_.arrivals.push_back(request);
    return;
  }
  auto verdict = Instance::Verdict::never_fits;
  // A decode pool is alike throughout: what never fits in one never fits in any.
  const bool fits =
      decode_.empty() || instances_[static_cast<std::size_t>(decode_.front())]->ever_fits(
                             request.input_tokens, request.output_tokens);
  if (id && fits) verdict = instances_[static_cast<std::size_t>(*id)]->submit(request, domain);
  switch (verdict) {
    case Instance::Verdict::accepted:
      note_queues(now);
      return;
    case Instance::Verdict::shed:
      recorder_->shed(request.id, now);
      break;
    case Instance::Verdict::never_fits:
      recorder_->failed(request.id, now);
      break;
  }
  request_done(now);
}

// The run ends with its last request, whatever timers are left (faults that would come later).
void Simulation::request_done(Seconds now) {
  ++ended_;
  if (std::optional<Request> next = source_->next_after(now)) {
    machine_.at(next->arrival, [this, r = *next] { arrive(r); });
  }
  const bool no_more = source_->closed_loop() || all_arrived_;
  if (no_more && ended_ == source_->made()) machine_.stop();
}

std::vector<KernelOrigin> Simulation::kernel_origins() const {
  std::vector<KernelOrigin> all;
  for (const LayerCostsByKind& of_pool : pool_costs_) {
    for (const KernelOrigin& one : of_pool.origins()) {
      if (std::ranges::find(all, one.gpu, &KernelOrigin::gpu) == all.end()) all.push_back(one);
    }
  }
  return all;
}

void Simulation::note_queues(Seconds now) {
  int waiting = 0;
  int running = 0;
  for (const auto& instance : instances_) {
    waiting += instance->waiting();
    running += instance->running();
  }
  timeline_->set(static_cast<int>(TimelineColumn::waiting), now, waiting);
  timeline_->set(static_cast<int>(TimelineColumn::running), now, running);
}

void Simulation::step_ended(int id, const StepReport& report, Seconds begin, Seconds end) {
  Straggler straggler;
  straggler.layer = LayerId{report.straggler_layer};
  straggler.gpu = GpuId{first_gpu(id).value + report.straggler_rank * pool(id).parallel.moe_tp};
  straggler.expert = ExpertId{report.straggler_expert};
  straggler.expert_seconds = Seconds{report.time[Cause::expert_straggler]};
  straggler.link = report.busiest_link;
  straggler.link_seconds = Seconds{report.time[Cause::dispatch] + report.time[Cause::combine]};
  blame_->step(id, begin, end, report.time, straggler);

  recorder_->sample(MetricId::step_time, end - begin);
  recorder_->sample(MetricId::attention_time, Seconds{report.time[Cause::attention] +
                                                      report.time[Cause::attention_straggler]});
  recorder_->sample(MetricId::host_time, Seconds{report.time[Cause::host]});
  if (!moe_.empty()) {
    recorder_->sample(MetricId::dispatch_time, report.dispatch);
    recorder_->sample(MetricId::combine_time, report.combine);
    recorder_->sample(MetricId::expert_time, report.experts);
  }
  Instance& instance = *instances_[static_cast<std::size_t>(id)];
  instance.model().step_ended(report);
  usage_->step_ended(id, instance.model(), moe(id), *ledger_, begin, end);
  const auto column = [](TimelineColumn c) { return static_cast<int>(c); };
  note_queues(end);
  timeline_->add(column(TimelineColumn::input_tokens), end, report.prompt_tokens);
  timeline_->add(column(TimelineColumn::output_tokens), end, report.output_tokens);
  timeline_->sample(column(TimelineColumn::step_time), end, (end - begin).value);
  timeline_->sample(column(TimelineColumn::batch_tokens), end, report.tokens);
  timeline_->sample(column(TimelineColumn::kv_used), end,
                    instance.kv_used(pool(id).memory.kv_blocks));
  if (!moe_.empty()) {
    timeline_->sample(column(TimelineColumn::balancedness), end, report.balancedness,
                      report.tokens);
  }
  if (instance.draining()) switch_off(id, end);
  const bool whole = !site(id).healthy;
  if (!rebalancers_.empty() && whole) {
    rebalancers_[static_cast<std::size_t>(id)]->step_ended(report);
  }
  if (observer_) observer_(id, report, begin, end);
  if (watch_ && !watch_(ended_, end)) machine_.stop();
}

}  // namespace moesim
