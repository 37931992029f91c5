#include "sim/machine/transfers.hpp"

#include <algorithm>
#include <utility>

#include "sim/base/errors.hpp"

namespace moesim {
namespace {

// Collectives of several instances may fill a link together; transfers never quite stop.
constexpr double kLeast = 0.01;

}  // namespace

Transfers::Transfers(Machine& machine, Cluster& cluster, LinkLedger& ledger, int instances)
    : machine_(machine),
      cluster_(cluster),
      ledger_(ledger),
      used_(static_cast<std::size_t>(instances)),
      want_of_(static_cast<std::size_t>(cluster.links()), -1) {}

void Transfers::start(std::vector<Flow> flows, Machine::FlowsDone done) {
  if (running_++ == 0) tell_machine();
  auto arrived = [this, flows, begun = machine_.now(),
                  done = std::move(done)](std::span<const Seconds> finish) {
    --running_;
    book(flows, finish, begun);
    done(finish);
  };
  machine_.start(std::move(flows), std::move(arrived));
}

void Transfers::book(std::span<const Flow> flows, std::span<const Seconds> finish,
                     Seconds start) {
  for (std::size_t i = 0; i < flows.size(); ++i) {
    ledger_.open(start, finish[i]);
    const Path path = cluster_.path(flows[i].src, flows[i].dst);
    for (const LinkId link : path.links()) ledger_.add(link, flows[i].bytes.value);
  }
}

std::span<const double> Transfers::shares_left() {
  if (left_holds_) return left_;
  left_.assign(want_of_.size(), 1.0);
  for (const std::vector<Use>& step : used_) {
    for (const Use& use : step) left_[use.link] = std::max(kLeast, left_[use.link] - use.share);
  }
  left_holds_ = true;
  return left_;
}

Seconds Transfers::alone(const Flow& flow) {
  const std::span<const double> left = shares_left();
  const Path path = cluster_.path(flow.src, flow.dst);
  Seconds longest{0};
  for (const LinkId link : path.links()) {
    longest = std::max(longest, flow.bytes / (cluster_.bandwidth(link) * left[link.index()]));
  }
  return path.latency + longest;
}

// Every flow is taken to get its equal part of each link: max-min gives it no less.
std::span<const LinkWant> Transfers::wants() {
  for (const LinkWant& want : wants_) want_of_[want.link.index()] = -1;
  wants_.clear();
  machine_.each_flow([&](std::span<const LinkId> links, Bytes left) {
    for (const LinkId link : links) {
      int& at = want_of_[link.index()];
      if (at < 0) {
        at = static_cast<int>(wants_.size());
        wants_.push_back({.link = link});
      }
      LinkWant& want = wants_[static_cast<std::size_t>(at)];
      ++want.flows;
      want.left += left / cluster_.bandwidth(link);
    }
  });
  const auto want_on = [&](LinkId link) -> LinkWant& {
    return wants_[static_cast<std::size_t>(want_of_[link.index()])];
  };
  machine_.each_flow([&](std::span<const LinkId> links, Bytes) {
    BytesPerSecond rate{1e300};
    for (const LinkId link : links) {
      rate = std::min(rate, cluster_.bandwidth(link) / double(want_on(link).flows));
    }
    for (const LinkId link : links) want_on(link).share += rate / cluster_.bandwidth(link);
  });
  std::ranges::sort(wants_, {}, [](const LinkWant& want) { return want.link; });
  for (std::size_t i = 0; i < wants_.size(); ++i) {
    want_of_[wants_[i].link.index()] = static_cast<int>(i);
  }
  return wants_;
}

void Transfers::open_step() { before_.assign(ledger_.work().begin(), ledger_.work().end()); }

void Transfers::close_step(int instance, Seconds takes) {
  std::vector<Use>& mine = used_[static_cast<std::size_t>(instance)];
  mine.clear();
  left_holds_ = false;
  for (std::size_t l = 0; l < before_.size(); ++l) {
    const Bytes work{ledger_.work()[l] - before_[l]};
    if (work.value <= 0 || takes.value <= 0) continue;
    const double share = work / cluster_.bandwidth(LinkId{l}) / takes;
    MOESIM_LAW(share <= 1 + 1e-6, "a link carries a step's collectives while the step lasts");
    mine.push_back({l, share});
  }
  if (any()) tell_machine();
}

void Transfers::idle(int instance) {
  std::vector<Use>& mine = used_[static_cast<std::size_t>(instance)];
  if (mine.empty()) return;
  mine.clear();
  left_holds_ = false;
  if (any()) tell_machine();
}

void Transfers::tell_machine() { machine_.leave(shares_left()); }

}  // namespace moesim
