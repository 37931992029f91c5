// Timers in a binary heap; flows in a fluid network of our own.
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <queue>
#include <utility>

#include "sim/machine/event_order.hpp"
#include "sim/machine/flow_network.hpp"
#include "sim/machine/machine.hpp"

namespace moesim {
namespace {

struct Running {
  std::shared_ptr<FlowBatch> batch;
  std::size_t flow;  // into batch->flows
};

class AnalyticMachine : public Machine {
 public:
  explicit AnalyticMachine(Cluster* cluster, double window) : cluster_(cluster) {
    if (cluster != nullptr) network_ = std::make_unique<FlowNetwork>(*cluster, window);
  }

  [[nodiscard]] Seconds now() const override { return now_; }

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
  }

  void start(std::vector<Flow> flows, FlowsDone done) override {
    MOESIM_LAW(network_ != nullptr, "flows need a machine with a cluster");
    auto batch = std::make_shared<FlowBatch>();
    batch->finish.resize(flows.size(), now_);
    batch->running = static_cast<int>(flows.size());
    batch->flows = std::move(flows);
    batch->done = std::move(done);
    if (batch->flows.empty()) return at(now_, [batch] { batch->done({}); });
    std::map<Seconds, std::vector<std::size_t>> by_latency;
    for (std::size_t f = 0; f < batch->flows.size(); ++f) {
      const Flow& flow = batch->flows[f];
      by_latency[cluster_->path(flow.src, flow.dst).latency].push_back(f);
    }
    enter_after(batch, by_latency);
  }

  void carry(std::vector<LinkLoad> loads, FlowsDone done) override {
    MOESIM_LAW(network_ != nullptr, "loads need a machine with a cluster");
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
    MOESIM_LAW(network_ != nullptr, "links need a machine with a cluster");
    catch_up();
    cluster_->set_scale(link, scale);
    if (scale == 0) reroute(link);
    plan();
  }

  void leave(std::span<const double> share) override {
    MOESIM_LAW(network_ != nullptr, "links need a machine with a cluster");
    catch_up();
    network_->leave(share);
    plan();
  }

  void each_flow(const VisitFlow& visit) const override {
    if (network_ == nullptr) return;
    for (const int flow : network_->active_flows()) {
      visit(network_->links_of(flow), Bytes{network_->left_after(flow, (now_ - seen_).value)});
    }
  }

  void run() override {
    stopped_ = false;
    while (!stopped_ && !events_.empty()) {
      const TimerEvent event = events_.top();
      events_.pop();
      now_ = event.when;
      const Callback callback = std::exchange(callbacks_[event.slot], nullptr);
      free_.push_back(event.slot);
      callback();
    }
  }

  void stop() override { stopped_ = true; }

 private:
  void enter_after(const std::shared_ptr<FlowBatch>& batch,
                   const std::map<Seconds, std::vector<std::size_t>>& by_latency) {
    for (const auto& [latency, members] : by_latency) {
      after(latency, [this, batch, which = members] {
        catch_up();
        for (const std::size_t f : which) send(batch, f, batch->work(f));
        plan();
      });
    }
  }

  // The path is that of now: a link may have failed since the flow was started.
  void send(const std::shared_ptr<FlowBatch>& batch, std::size_t f, double work) {
    if (work <= 0) return end({batch, f}, now_);
    if (batch->loads.empty()) {
      const Flow& flow = batch->flows[f];
      network_->add(cluster_->path(flow.src, flow.dst).links(), work);
    } else {
      const LinkId link = batch->loads[f].link;
      if (cluster_->scale(link) == 0) throw_dead(*cluster_, link);
      network_->add({&link, 1}, work);
    }
    running_.push_back({batch, f});
  }

  void reroute(LinkId dead) {
    const std::vector<int> active(network_->active_flows().begin(),
                                  network_->active_flows().end());
    for (const int number : active) {
      const auto links = network_->links_of(number);
      if (std::find(links.begin(), links.end(), dead) == links.end()) continue;
      const double left = network_->left(number);
      network_->remove(number);
      const Running moved = std::exchange(running_[static_cast<std::size_t>(number)], {});
      send(moved.batch, moved.flow, left);
    }
  }

  void end(const Running& running, Seconds when) {
    FlowBatch& batch = *running.batch;
    batch.finish[running.flow] = when;
    if (--batch.running > 0) return;
    const Seconds last = *std::max_element(batch.finish.begin(), batch.finish.end());
    at(std::max(last, now_), [batch = running.batch] { batch->done(batch->finish); });
  }

  // Lets time pass in the network until now.
  void catch_up() {
    network_->advance((now_ - seen_).value, [&](int number, double took) {
      end(std::exchange(running_[static_cast<std::size_t>(number)], {}), seen_ + Seconds{took});
    });
    seen_ = now_;
    if (network_->active() == 0) {
      network_->clear();
      running_.clear();
    }
  }

  // Solves the rates and wakes when they no longer hold.
  void plan() {
    ++planned_;
    if (network_->active() == 0) return;
    const double lasts = network_->solve();
    MOESIM_LAW(lasts < 1e30, "every flow has a rate above zero");
    // What is left may take less than the clock can tell; it must move on all the same.
    const double tick = std::nextafter(now_.value, 1e300) - now_.value;
    after(Seconds{std::max(lasts, tick)}, [this, plan = planned_] {
      if (plan != planned_) return;
      catch_up();
      this->plan();
    });
  }

  Cluster* cluster_;
  std::unique_ptr<FlowNetwork> network_;
  std::vector<Running> running_;  // by number in the network
  Seconds now_{0};
  Seconds seen_{0};  // how far the network is
  std::uint64_t order_ = 0;
  std::uint64_t planned_ = 0;
  bool stopped_ = false;
  std::priority_queue<TimerEvent, std::vector<TimerEvent>, FiresLater> events_;
  std::vector<Callback> callbacks_;
  std::vector<std::size_t> free_;
};

}  // namespace

void throw_dead(const Cluster& cluster, LinkId link) {
  throw InputError("link '" + cluster.link(link).name + "' is down and carries a collective",
                   "a network model that sends flow by flow around it: fluid or simgrid_flows");
}

std::unique_ptr<Machine> make_analytic_machine() {
  return std::make_unique<AnalyticMachine>(nullptr, 0);
}

std::unique_ptr<Machine> make_analytic_machine(Cluster& cluster, double window) {
  return std::make_unique<AnalyticMachine>(&cluster, window);
}

}  // namespace moesim
