#include "sim/serving/simulation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "sim/base/diagnostics.hpp"
#include "sim/placement/strategy.hpp"
#include "sim/serving/expert_setup.hpp"

namespace moesim {

namespace {

std::vector<Series> timeline_columns() {
  return {{"waiting_requests", SeriesKind::level},  {"running_requests", SeriesKind::level},
          {"input_tokens_per_s", SeriesKind::flow}, {"output_tokens_per_s", SeriesKind::flow},
          {"step_time_s", SeriesKind::sample},      {"balancedness", SeriesKind::sample},
          {"batch_tokens", SeriesKind::sample},     {"kv_used", SeriesKind::sample}};
}

std::vector<std::string> tenant_names(const RequestSource& source) {
  std::vector<std::string> names;
  for (const TenantOptions& tenant : source.tenants()) names.push_back(tenant.name);
  return names;
}

}  // namespace

Simulation::Simulation(const Deployment& deployment, Machine& machine)
    : deployment_(deployment), machine_(machine) {
  const ServingOptions& serving = deployment_.serving;
  parallel_ = resolve_parallelism(serving, deployment_.cluster.gpus());
  const int slots = expert_slots(deployment_.model, deployment_.placement, parallel_);
  memory_ = plan_memory(deployment_.model, parallel_, serving, slots / parallel_.ep,
                        deployment_.cluster.gpu(GpuId{0}).memory);
  require_fits(memory_, deployment_.model);
  source_.emplace(deployment_.traffic, deployment_.seed, deployment_.requests);
  std::tie(domains_, domain_of_tenant_) = domains_of(source_->tenants());

  layer_costs_ = std::make_unique<LayerCosts>(deployment_.model, parallel_, deployment_.costs);
  recorder_ = std::make_unique<Recorder>(RecorderOptions{.requests = deployment_.requests,
                                                         .warmup = serving.warmup,
                                                         .tenants = tenant_names(*source_)});
  blame_ = std::make_unique<Blame>(parallel_.instances, deployment_.requests);
  timeline_ = std::make_unique<Timeline>(timeline_columns());
  ledger_ = std::make_unique<LinkLedger>(deployment_.cluster.links());
  usage_ = std::make_unique<UsageHistory>(parallel_, deployment_.cluster.links());
  balance_ = find_entry(balancing_policies(), serving.balancing, "balancing policy").make;
  balance_state_.stream = Stream(deployment_.seed, "balancing");
  build_instances();
}

Simulation::~Simulation() = default;

void Simulation::build_instances() {
  for (int id = 0; id < parallel_.instances; ++id) {
    if (deployment_.model.experts > 0) build_experts(id);
    instances_.push_back(std::make_unique<Instance>(
        id, machine_, *recorder_, *blame_, *ledger_, build_step_model(id), build_ranks(id),
        deployment_.serving, deployment_.seed, hooks_for(id)));
  }
}

void Simulation::build_experts(int id) {
  const ModelShape& model = deployment_.model;
  const int slots = expert_slots(model, deployment_.placement, parallel_);
  routers_.push_back(std::make_unique<Router>(
      deployment_.router, router_shape(model, deployment_.router), deployment_.seed, domains_));
  std::vector<GpuId> ranks = expert_ranks(parallel_, id);
  // Attention ranks of one GPU group see every token, so there is nothing to dispatch.
  const bool sends_tokens = parallel_.ep > 1 && parallel_.dp > 1;
  networks_.push_back(sends_tokens ? std::make_unique<MoeNetwork>(deployment_.cluster, ranks,
                                                                  model, deployment_.serving,
                                                                  slots / parallel_.ep)
                                   : nullptr);
  const std::vector<double> speed = expert_speeds(deployment_.cluster, ranks);
  const int nodes = sends_tokens ? networks_.back()->ranks().domains() : 1;
  auto moe = std::make_unique<MoeStep>(*routers_.back(), deployment_.placement.dispatch,
                                       layer_costs_->experts(slots / parallel_.ep), speed);
  moe->use(first_placement(*routers_.back(), deployment_.placement, slots, nodes, parallel_.ep,
                           speed));
  moe_.push_back(std::move(moe));
}

std::unique_ptr<StepModel> Simulation::build_step_model(int id) {
  const auto i = static_cast<std::size_t>(id);
  const bool dense = deployment_.model.experts == 0;
  std::vector<GpuId> group;
  for (int g = 0; g < parallel_.gpus; ++g) group.emplace_back(id * parallel_.gpus + g);
  std::vector<GpuId> rank(group.begin(), group.begin() + parallel_.tp);
  return std::make_unique<StepModel>(deployment_.model, parallel_, deployment_.serving,
                                     *layer_costs_, dense ? nullptr : moe_[i].get(),
                                     dense ? nullptr : networks_[i].get(),
                                     RankGroup(deployment_.cluster, std::move(rank)),
                                     RankGroup(deployment_.cluster, std::move(group)));
}

std::vector<AttentionRank> Simulation::build_ranks(int id) const {
  const ServingOptions& serving = deployment_.serving;
  const RankLimits limits{.max_batch = serving.max_batch,
                          .max_tokens = serving.max_tokens_per_step,
                          .chunked_prefill = serving.chunked_prefill,
                          .kv_block = serving.kv_block,
                          .kv_blocks = memory_.kv_blocks,
                          .speculative_tokens = serving.speculative_tokens,
                          .domains = static_cast<int>(domains_.size())};
  std::vector<AttentionRank> ranks;
  for (int d = 0; d < parallel_.dp; ++d) {
    const auto index = static_cast<std::uint64_t>(id * parallel_.dp + d);
    ranks.emplace_back(limits, Stream(deployment_.seed, "attention rank", index));
  }
  return ranks;
}

InstanceHooks Simulation::hooks_for(int id) {
  InstanceHooks hooks;
  hooks.step = [this, id](const StepReport& report, Seconds begin, Seconds end) {
    step_ended(id, report, begin, end);
  };
  hooks.admitted = [this](Seconds now) { note_queues(now); };
  hooks.finished = [this](RequestId, Seconds now) { request_done(now); };
  hooks.handed_over = [](const RankRequest&, Seconds) {};
  return hooks;
}

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
  if (!request) return;
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
  const Seconds delay = own ? Seconds{0} : layer_costs_->request_overhead();
  if (delay.value > 0) {
    machine_.after(delay, [this, request] { submit(request); });
  } else {
    submit(request);
  }
}

void Simulation::submit(const Request& request) {
  const Seconds now = machine_.now();
  std::vector<Candidate> candidates;
  for (const auto& instance : instances_) candidates.push_back(instance->candidate());
  const int domain = domain_of_tenant_[static_cast<std::size_t>(request.tenant)];
  const std::size_t pick = balance_(
      candidates, {static_cast<std::uint64_t>(domain), request.prefix}, balance_state_);
  switch (instances_[pick]->submit(request, domain)) {
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

void Simulation::request_done(Seconds now) {
  ++ended_;
  if (std::optional<Request> next = source_->next_after(now)) {
    machine_.at(next->arrival, [this, r = *next] { arrive(r); });
  }
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
  straggler.gpu = GpuId{id * parallel_.gpus + report.straggler_rank * parallel_.moe_tp};
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
  timeline_->sample(column(TimelineColumn::kv_used), end, instance.kv_used(memory_.kv_blocks));
  if (!moe_.empty()) {
    timeline_->sample(column(TimelineColumn::balancedness), end, report.balancedness,
                      report.tokens);
  }
  if (observer_) observer_(id, report, begin, end);
  if (watch_ && !watch_(ended_, end)) machine_.stop();
}

}  // namespace moesim
