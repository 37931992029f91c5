#include "sim/placement/problem.hpp"

#include <fmt/format.h>

#include <cmath>
#include <string_view>

#include "sim/base/diagnostics.hpp"

namespace moesim {

namespace {

void check_counts(const PlacementProblem& p, Diagnostics& faults) {
  const auto at_least_one = [&](int value, std::string_view name) {
    if (value < 1) faults.error({}, fmt::format("{} is {}", name, value), "at least 1");
  };
  at_least_one(p.layers, "layers");
  at_least_one(p.experts, "experts");
  at_least_one(p.slots, "slots");
  at_least_one(p.groups, "groups");
  at_least_one(p.nodes, "nodes");
  at_least_one(p.gpus, "gpus");
  constexpr int kMostExperts = 1 << 16;
  if (p.experts > kMostExperts) {
    faults.error({}, fmt::format("{} experts per layer", p.experts),
                 fmt::format("at most {}", kMostExperts));
  }
  constexpr double kMostSlots = 1 << 26;
  if (static_cast<double>(p.layers) * p.slots > kMostSlots) {
    faults.error({}, fmt::format("{} layers of {} slots", p.layers, p.slots),
                 fmt::format("at most {} slots in all", kMostSlots));
  }
}

void check_divisions(const PlacementProblem& p, Diagnostics& faults) {
  if (p.slots < p.experts) {
    faults.error({}, fmt::format("{} slots cannot hold {} experts", p.slots, p.experts),
                 "at least as many slots as experts",
                 fmt::format("add {} redundant experts", p.experts - p.slots));
  }
  if (p.slots % p.gpus != 0) {
    faults.error({}, fmt::format("{} slots do not divide over {} GPUs", p.slots, p.gpus),
                 "the same number of slots on every GPU",
                 fmt::format("{} slots would", (p.slots / p.gpus + 1) * p.gpus));
  }
  if (p.gpus % p.nodes != 0) {
    faults.error({}, fmt::format("{} GPUs do not divide over {} nodes", p.gpus, p.nodes),
                 "the same number of GPUs on every node");
  }
  if (p.experts % p.groups != 0) {
    faults.error({},
                 fmt::format("{} experts do not divide into {} groups", p.experts, p.groups),
                 "groups of equal size");
  }
}

// One fault per array is enough: the first bad value and how many there are.
void check_values(std::span<const double> values, std::string_view name, double least,
                  const PlacementProblem& p, Diagnostics& faults) {
  std::size_t bad = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i]) && values[i] >= least) continue;
    if (bad++ == 0) first = i;
  }
  if (bad == 0) return;
  const auto experts = static_cast<std::size_t>(p.experts);
  const std::string where = name == "gpu_speed"
                                ? fmt::format("[{}]", first)
                                : fmt::format("[{}][{}]", first / experts, first % experts);
  faults.error({},
               fmt::format("{}{} is {}{}", name, where, values[first],
                           bad > 1 ? fmt::format(" ({} such values)", bad) : ""),
               "a finite number, not negative");
}

void check_sizes(const PlacementProblem& p, Diagnostics& faults) {
  const auto layers = static_cast<std::size_t>(p.layers);
  const std::size_t loads = layers * static_cast<std::size_t>(p.experts);
  if (p.weights.size() != loads) {
    faults.error({}, fmt::format("{} weights", p.weights.size()),
                 fmt::format("layers x experts = {} x {}", p.layers, p.experts));
  }
  if (p.windows.size() % loads != 0) {
    faults.error({}, fmt::format("{} weights in windows", p.windows.size()),
                 fmt::format("a multiple of layers x experts = {} x {}", p.layers, p.experts));
  }
  if (!p.gpu_speed.empty() && p.gpu_speed.size() != static_cast<std::size_t>(p.gpus)) {
    faults.error({}, fmt::format("{} GPU speeds for {} GPUs", p.gpu_speed.size(), p.gpus),
                 "one per GPU");
  }
  if (!p.samples.empty() && p.samples.size() != layers) {
    faults.error({},
                 fmt::format("token samples of {} layers for {}", p.samples.size(), p.layers),
                 "one per layer");
  }
}

void check_samples(const PlacementProblem& p, Diagnostics& faults) {
  for (std::size_t l = 0; l < p.samples.size(); ++l) {
    const TokenView& sample = p.samples[l];
    if (sample.top_k < 1 || sample.experts.size() % static_cast<std::size_t>(sample.top_k)) {
      faults.error({},
                   fmt::format("layer {}: {} sampled experts with top_k {}", l,
                               sample.experts.size(), sample.top_k),
                   "a multiple of top_k");
      return;
    }
    for (const std::uint16_t e : sample.experts) {
      if (e < p.experts) continue;
      faults.error({}, fmt::format("layer {}: a token takes expert {} of {}", l, e, p.experts),
                   fmt::format("0 to {}", p.experts - 1));
      return;
    }
  }
}

void check_previous(const PlacementProblem& p, Diagnostics& faults) {
  if (p.migration_budget && *p.migration_budget < 0) {
    faults.error({}, fmt::format("migration_budget is {}", *p.migration_budget), "at least 0");
  }
  if (p.previous.empty()) return;
  const auto slots = static_cast<std::size_t>(p.slots);
  const auto experts = static_cast<std::size_t>(p.experts);
  if (p.previous.size() != static_cast<std::size_t>(p.layers) * slots) {
    faults.error({}, fmt::format("the previous placement has {} slots", p.previous.size()),
                 fmt::format("layers x slots = {} x {}", p.layers, p.slots));
    return;
  }
  for (std::size_t l = 0; l < static_cast<std::size_t>(p.layers); ++l) {
    std::vector<char> seen(experts, 0);
    for (std::size_t s = 0; s < slots; ++s) {
      const int e = p.previous[l * slots + s];
      if (e < 0 || e >= p.experts) {
        faults.error({},
                     fmt::format("the previous placement has expert {} of {} in layer {}", e,
                                 p.experts, l),
                     fmt::format("0 to {}", p.experts - 1));
        return;
      }
      seen[static_cast<std::size_t>(e)] = 1;
    }
    for (std::size_t e = 0; e < experts; ++e) {
      if (seen[e]) continue;
      faults.error({}, fmt::format("the previous placement lacks expert {} in layer {}", e, l),
                   fmt::format("all {} experts of each layer", p.experts));
      return;
    }
  }
}

}  // namespace

int PlacementProblem::window_count() const {
  const std::size_t size = static_cast<std::size_t>(layers) * static_cast<std::size_t>(experts);
  return size == 0 ? 0 : static_cast<int>(windows.size() / size);
}

std::span<const double> PlacementProblem::window_weights(int window, int layer) const {
  const auto n = static_cast<std::size_t>(experts);
  const auto row = static_cast<std::size_t>(window) * static_cast<std::size_t>(layers) +
                   static_cast<std::size_t>(layer);
  return std::span(windows).subspan(row * n, n);
}

void validate(const PlacementProblem& problem) {
  Diagnostics faults;
  check_counts(problem, faults);
  faults.throw_if_errors();  // the rest divides by them
  check_divisions(problem, faults);
  check_sizes(problem, faults);
  check_values(problem.weights, "weights", 0, problem, faults);
  check_values(problem.windows, "windows", 0, problem, faults);
  check_values(problem.gpu_speed, "gpu_speed", 1e-9, problem, faults);
  check_samples(problem, faults);
  if (!faults.has_errors()) check_previous(problem, faults);
  faults.throw_if_errors();
}

}  // namespace moesim
