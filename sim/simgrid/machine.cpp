#include "sim/simgrid/machine.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <map>
#include <queue>
#include <simgrid/kernel/Timer.hpp>
#include <simgrid/s4u.hpp>
#include <unordered_map>

#include "sim/machine/event_order.hpp"

namespace moesim {
namespace {

namespace s4u = simgrid::s4u;

struct Running {
  std::shared_ptr<FlowBatch> batch;
  std::size_t flow = 0;
  std::uint64_t order = 0;
  Path path;
  s4u::CommPtr comm;
};

class SimgridMachine : public Machine {
 public:
  SimgridMachine(Cluster& cluster, Solver solver)
      : cluster_(cluster), platform_(cluster, solver) {
#if SIMGRID_VERSION >= 33400
    s4u::Comm::on_completion_cb([this](const s4u::Comm& comm) { completed(&comm); });
#else
    s4u::Activity::on_completion_cb([this](const s4u::Activity& comm) { completed(&comm); });
#endif
  }

  [[nodiscard]] Seconds now() const override { return now_; }

  // Our own queue keeps the order among equal times, which kernel timers do not; one kernel
  // timer wakes for its head.
  void at(Seconds when, Callback callback) override {
    MOESIM_LAW(when >= now_, "no event lies in the past");
    if (free_.empty()) {
      free_.push_back(callbacks_.size());
      callbacks_.emplace_back();
    }
    const std::size_t slot = free_.back();
    free_.pop_back();
    callbacks_[slot] = std::move(callback);
    events_.push({when, order_++, slot});
    wake();
  }

  void start(std::vector<Flow> flows, FlowsDone done) override {
    auto batch = std::make_shared<FlowBatch>();
    batch->finish.resize(flows.size(), now_);
    batch->running = static_cast<int>(flows.size());
    batch->flows = std::move(flows);
    batch->done = std::move(done);
    if (batch->flows.empty()) return at(now_, [batch] { batch->done({}); });
    std::map<Seconds, std::vector<std::size_t>> by_latency;
    for (std::size_t f = 0; f < batch->flows.size(); ++f) {
      const Flow& flow = batch->flows[f];
      by_latency[cluster_.path(flow.src, flow.dst).latency].push_back(f);
    }
    enter_after(batch, by_latency);
  }

  void carry(std::vector<LinkLoad> loads, FlowsDone done) override {
    auto batch = std::make_shared<FlowBatch>();
    batch->finish.resize(loads.size(), now_);
    batch->running = static_cast<int>(loads.size());
    batch->loads = std::move(loads);
    batch->done = std::move(done);
    if (batch->loads.empty()) return at(now_, [batch] { batch->done({}); });
    std::map<Seconds, std::vector<std::size_t>> by_latency;
    for (std::size_t i = 0; i < batch->loads.size(); ++i) {
      by_latency[batch->loads[i].latency].push_back(i);
    }
    enter_after(batch, by_latency);
  }

  void set_scale(LinkId link, double scale) override {
    cluster_.set_scale(link, scale);
    if (scale == 0) {
      reroute(link);  // a SimGrid link that is off would keep its comms for ever
    } else {
      set_wire(link);
    }
  }

  void leave(std::span<const double> share) override {
    share_.resize(share.size(), 1.0);
    for (std::size_t i = 0; i < share.size(); ++i) {
      if (share_[i] == share[i]) continue;
      share_[i] = share[i];
      if (cluster_.scale(LinkId{i}) > 0) set_wire(LinkId{i});
    }
  }

  void each_flow(const VisitFlow& visit) const override {
    std::vector<const Running*> flows;
    for (const auto& [activity, flow] : running_) flows.push_back(&flow);
    std::sort(flows.begin(), flows.end(),
              [](const Running* a, const Running* b) { return a->order < b->order; });
    for (const Running* flow : flows) {
      visit(flow->path.links(), Bytes{flow->comm->get_remaining() / kGrainsPerByte});
    }
  }

  void run() override {
    stopped_ = false;
    wake();
    s4u::Engine::get_instance()->run();
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

  void stop() override {
    stopped_ = true;
    events_ = {};
    const auto running = std::exchange(running_, {});
    for (const auto& [activity, flow] : running) cancel(flow.comm);
  }

 private:
  // SimGrid still refers to a cancelled comm: it lives as long as the machine.
  void cancel(const s4u::CommPtr& comm) {
    cancelled_.push_back(comm);
    comm->cancel();
  }

  void set_wire(LinkId link) {
    s4u::Link* wire = platform_.link(link);
    if (wire == nullptr) return;
    const double share = share_.empty() ? 1.0 : share_[link.index()];
    wire->set_bandwidth(cluster_.bandwidth(link).value * share * kGrainsPerByte);
  }

  // A kernel timer for the head of the queue, unless an earlier one is set already.
  void wake() {
    if (events_.empty() || stopped_) return;
    const double when = std::max(events_.top().when.value, s4u::Engine::get_clock());
    if (armed_ >= 0 && armed_ <= when) return;
    armed_ = when;
    simgrid::kernel::timer::Timer::set(when, [this, when] { fire(when); });
  }

  void fire(double when) {
    if (armed_ == when) armed_ = -1;
    guarded([&] {
      const double clock = s4u::Engine::get_clock();
      while (!stopped_ && !events_.empty() &&
             events_.top().when.value <= clock * (1 + 1e-14) + 1e-18) {
        const TimerEvent event = events_.top();
        events_.pop();
        now_ = std::max(now_, event.when);
        const Callback callback = std::exchange(callbacks_[event.slot], nullptr);
        free_.push_back(event.slot);
        callback();
      }
    });
    wake();
  }

  // Nothing is thrown through SimGrid's kernel: the first failure ends the run.
  template <class Body>
  void guarded(Body body) {
    try {
      body();
    } catch (...) {
      if (!failure_) failure_ = std::current_exception();
      stop();
    }
  }

  void enter_after(const std::shared_ptr<FlowBatch>& batch,
                   const std::map<Seconds, std::vector<std::size_t>>& by_latency) {
    for (const auto& [latency, members] : by_latency) {
      after(latency, [this, batch, which = members] {
        for (const std::size_t f : which) send(batch, f, batch->work(f));
      });
    }
  }

  void send_load(const std::shared_ptr<FlowBatch>& batch, std::size_t i, double work) {
    const LinkId link = batch->loads[i].link;
    if (work <= 0) return end(*batch, i, batch);
    if (cluster_.scale(link) == 0) throw_dead(cluster_, link);
    Path path;
    path.add(link);
    launch(batch, i, path, platform_.gate(link), platform_.host(GpuId{0}), work);
  }

  void send(const std::shared_ptr<FlowBatch>& batch, std::size_t f, double work) {
    if (!batch->loads.empty()) return send_load(batch, f, work);
    const Flow& flow = batch->flows[f];
    const Path path = cluster_.path(flow.src, flow.dst);
    if (work <= 0 || path.links().empty()) return end(*batch, f, batch);
    launch(batch, f, path, platform_.host(flow.src), platform_.host(flow.dst), work);
  }

  void launch(const std::shared_ptr<FlowBatch>& batch, std::size_t f, const Path& path,
              s4u::Host* from, s4u::Host* to, double work) {
    s4u::CommPtr comm = s4u::Comm::sendto_init(from, to);
    comm->set_payload_size(static_cast<std::uint64_t>(std::llround(work * kGrainsPerByte)));
    running_.emplace(comm.get(), Running{batch, f, order_++, path, comm});
    comm->vetoable_start();
  }

  void completed(const s4u::Activity* activity) {
    const auto found = running_.find(activity);
    if (found == running_.end()) return;  // cancelled by us, or of someone else
    const Running running = std::move(found->second);
    running_.erase(found);
    now_ = std::max(now_, Seconds{s4u::Engine::get_clock()});
    guarded([&] { end(*running.batch, running.flow, running.batch); });
  }

  void end(FlowBatch& batch, std::size_t f, const std::shared_ptr<FlowBatch>& keep) {
    batch.finish[f] = now_;
    if (--batch.running > 0) return;
    at(now_, [keep] { keep->done(keep->finish); });
  }

  void reroute(LinkId dead) {
    std::vector<Running> hit;
    for (const auto& [activity, flow] : running_) {
      const auto links = flow.path.links();
      if (std::find(links.begin(), links.end(), dead) != links.end()) hit.push_back(flow);
    }
    std::sort(hit.begin(), hit.end(),
              [](const Running& a, const Running& b) { return a.order < b.order; });
    for (const Running& flow : hit) {
      const double left = flow.comm->get_remaining() / kGrainsPerByte;
      running_.erase(flow.comm.get());
      cancel(flow.comm);
      send(flow.batch, flow.flow, left);
    }
  }

  Cluster& cluster_;
  Platform platform_;
  Seconds now_{0};
  std::uint64_t order_ = 0;
  double armed_ = -1;  // when the kernel timer fires; negative: none
  bool stopped_ = false;
  std::exception_ptr failure_;
  std::priority_queue<TimerEvent, std::vector<TimerEvent>, FiresLater> events_;
  std::vector<Callback> callbacks_;
  std::vector<std::size_t> free_;
  std::vector<double> share_;  // [links] that others leave; empty: all
  std::vector<s4u::CommPtr> cancelled_;
  std::unordered_map<const s4u::Activity*, Running> running_;  // looked up, order never used
};

}  // namespace

std::unique_ptr<Machine> make_simgrid_machine(Cluster& cluster, Solver solver) {
  return std::make_unique<SimgridMachine>(cluster, solver);
}

}  // namespace moesim
