// Timers in a binary heap; flows in a fluid network of our own.
#include <algorithm>
#include <queue>
#include <utility>

#include "sim/machine/machine.hpp"

namespace moesim {
namespace {

struct Event {
  Seconds when;
  std::uint64_t order;
  std::size_t slot;  // of the callback: moving an event moves no std::function
};
struct Later {
  bool operator()(const Event& a, const Event& b) const {
    return std::pair(a.when, a.order) > std::pair(b.when, b.order);
  }
};

class AnalyticMachine : public Machine {
 public:
  explicit AnalyticMachine(Cluster* cluster) : cluster_(cluster) {}

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

  void start(std::vector<Flow>, FlowsDone) override {
    MOESIM_LAW(cluster_ != nullptr, "flows need a machine with a cluster");
  }

  void set_scale(LinkId link, double scale) override {
    MOESIM_LAW(cluster_ != nullptr, "links need a machine with a cluster");
    cluster_->set_scale(link, scale);
  }

  void run() override {
    stopped_ = false;
    while (!stopped_ && !events_.empty()) {
      const Event event = events_.top();
      events_.pop();
      now_ = event.when;
      const Callback callback = std::exchange(callbacks_[event.slot], nullptr);
      free_.push_back(event.slot);
      callback();
    }
  }

  void stop() override { stopped_ = true; }

 private:
  Cluster* cluster_;
  Seconds now_{0};
  std::uint64_t order_ = 0;
  bool stopped_ = false;
  std::priority_queue<Event, std::vector<Event>, Later> events_;
  std::vector<Callback> callbacks_;
  std::vector<std::size_t> free_;
};

}  // namespace

std::unique_ptr<Machine> make_analytic_machine() {
  return std::make_unique<AnalyticMachine>(nullptr);
}

std::unique_ptr<Machine> make_analytic_machine(Cluster& cluster) {
  return std::make_unique<AnalyticMachine>(&cluster);
}

}  // namespace moesim
