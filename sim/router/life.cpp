#include "sim/router/life.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "sim/base/diagnostics.hpp"
#include "sim/base/spelling.hpp"
#include "sim/router/inclusion.hpp"

namespace moesim {

namespace {

// A gradual event is applied in so many parts: each is a new epoch.
constexpr int kProgress = 20;

struct Act {
  const RouterEventOptions& event;
  int progress;                // 0..kProgress; -1: before the event
  std::span<const double> pi;  // of the layer, without events
  std::span<double> factor;    // of the layer
};

// exp(-rate tau) products leave the k-th ring about where it is, so a rate is the hazard of pi.
double hazard(const Act& act, std::size_t e) { return rate_of(act.pi[e]) * act.factor[e]; }

void collapse(const Act& act) {
  if (act.progress < 0) return;
  std::vector<double> sorted(act.pi.begin(), act.pi.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const double least = sorted[static_cast<std::size_t>(act.event.experts - 1)];
  double hot = 0;
  double rest = 0;
  for (std::size_t e = 0; e < act.pi.size(); ++e) {
    (act.pi[e] >= least ? hot : rest) += hazard(act, e);
  }
  const double goal = act.event.share / (1 - act.event.share) * rest / hot;
  const double factor = std::pow(goal, static_cast<double>(act.progress) / kProgress);
  for (std::size_t e = 0; e < act.pi.size(); ++e) {
    if (act.pi[e] >= least) act.factor[e] *= factor;
  }
}

void new_expert(const Act& act) {
  const auto self = static_cast<std::size_t>(act.event.expert);
  if (act.progress < 0) {
    act.factor[self] = 0;
    return;
  }
  if (act.progress >= kProgress) return;
  // The others share what is left of top_k; at their level the forced rate gives `share`.
  std::vector<double> others;
  double k = 0;
  for (std::size_t e = 0; e < act.pi.size(); ++e) {
    k += act.pi[e];
    others.push_back(e == self ? 0 : hazard(act, e));
  }
  double level = 1;
  for (int round = 0; round < 40; ++round) {
    double sum = 0;
    double slope = 0;
    for (const double h : others) {
      sum += -std::expm1(-h * level);
      slope += h * level * std::exp(-h * level);
    }
    if (slope <= 0) break;
    level *= std::exp(std::clamp((k - act.event.share - sum) / slope, -1.0, 1.0));
  }
  act.factor[self] = rate_of(act.event.share) / (level * rate_of(act.pi[self]));
}

void prune(const Act& act) {
  if (act.progress >= 0) act.factor[static_cast<std::size_t>(act.event.expert)] = 0;
}

void merge(const Act& act) {
  if (act.progress < 0) return;
  const auto a = static_cast<std::size_t>(act.event.expert);
  const auto b = static_cast<std::size_t>(act.event.other);
  act.factor[a] *= 1 + hazard(act, b) / hazard(act, a);
  act.factor[b] = 0;
}

void reinitialise(const Act& act) {
  if (act.progress < 0) return;
  std::vector<double> sorted(act.pi.begin(), act.pi.end());
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<long>(sorted.size() / 2),
                   sorted.end());
  const auto e = static_cast<std::size_t>(act.event.expert);
  act.factor[e] = rate_of(sorted[sorted.size() / 2]) / rate_of(act.pi[e]);
}

struct Kind {
  std::string_view name;
  void (*act)(const Act&);
};

constexpr std::array<Kind, 5> kKinds{{{"collapse", collapse},
                                      {"new_expert", new_expert},
                                      {"prune", prune},
                                      {"merge", merge},
                                      {"reinitialise", reinitialise}}};

void check(const RouterEventOptions& event, const RouterShape& shape, Diagnostics& faults) {
  const auto wrong = [&](std::string what, std::string expected) {
    faults.error({}, fmt::format("router event '{}': {}", event.kind, what),
                 std::move(expected));
  };
  std::vector<std::string> names;
  for (const Kind& kind : kKinds) names.emplace_back(kind.name);
  if (std::find(names.begin(), names.end(), event.kind) == names.end()) {
    faults.error({}, fmt::format("unknown router event '{}'", event.kind),
                 fmt::format("one of {}", fmt::join(names, ", ")),
                 did_you_mean(event.kind, names));
  }
  const auto exists = [&](int expert) { return expert >= 0 && expert < shape.experts; };
  if (event.layer < -1 || event.layer >= shape.layers) {
    wrong(fmt::format("there is no MoE layer {}", event.layer),
          fmt::format("0 to {}, or -1 for all", shape.layers - 1));
  }
  if (!exists(event.expert) || !exists(event.other)) {
    wrong(
        fmt::format("there is no expert {}", exists(event.expert) ? event.other : event.expert),
        fmt::format("0 to {}", shape.experts - 1));
  }
  if (event.kind == "merge" && event.expert == event.other) {
    wrong("an expert cannot be merged with itself", "two different experts");
  }
  if (event.experts < 1 || event.experts >= shape.experts) {
    wrong(fmt::format("{} of {} experts", event.experts, shape.experts), "some, not all");
  }
  if (!(event.share > 0 && event.share < 1)) {
    wrong(fmt::format("a share of {}", event.share), "between 0 and 1");
  }
  if (event.steps < 1) wrong(fmt::format("{} steps", event.steps), "at least 1");
}

}  // namespace

RouterLife::RouterLife(std::vector<RouterEventOptions> events, const RouterShape& shape)
    : events_(std::move(events)),
      states_(events_.size()),
      shape_(shape),
      factors_(shape.cells(), 1.0) {
  Diagnostics faults;
  int pruned = 0;
  for (const RouterEventOptions& event : events_) {
    check(event, shape, faults);
    pruned += event.kind == "prune" || event.kind == "merge" || event.kind == "new_expert";
  }
  // The kept groups must still hold top_k experts, in the worst case from one group.
  const int reach = shape.experts / shape.expert_groups * shape.top_groups;
  if (reach - pruned < shape.top_k) {
    faults.error({},
                 fmt::format("after {} events a token may reach only {} experts", pruned,
                             reach - pruned),
                 fmt::format("at least top_k = {}", shape.top_k));
  }
  faults.throw_if_errors();
}

bool RouterLife::update(Seconds now, long step, std::span<const double> pi) {
  bool changed = false;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    State& state = states_[i];
    if (state.started < 0 && now >= events_[i].at) state.started = step;
    const int before = state.progress;
    if (state.started >= 0) {
      const long done = std::min<long>(step - state.started, events_[i].steps);
      state.progress = static_cast<int>(done * kProgress / events_[i].steps);
    }
    changed =
        changed || state.progress != before || (step == 0 && events_[i].kind == "new_expert");
  }
  if (!changed) return false;
  std::fill(factors_.begin(), factors_.end(), 1.0);
  for (std::size_t i = 0; i < events_.size(); ++i) {
    for (int layer = 0; layer < shape_.layers; ++layer) {
      if (events_[i].layer == -1 || events_[i].layer == layer) {
        apply(events_[i], states_[i], layer, pi);
      }
    }
  }
  return true;
}

void RouterLife::apply(const RouterEventOptions& event, const State& state, int layer,
                       std::span<const double> pi) {
  const auto n = static_cast<std::size_t>(shape_.experts);
  const std::size_t begin = static_cast<std::size_t>(layer) * n;
  const Act act{event, state.progress, pi.subspan(begin, n),
                std::span(factors_).subspan(begin, n)};
  for (const Kind& kind : kKinds) {
    if (kind.name == event.kind) kind.act(act);
  }
}

}  // namespace moesim
