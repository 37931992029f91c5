#include "sim/placement/dispatch.hpp"

#include <rapidcheck.h>
#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "sim/placement/bounds.hpp"
#include "sim/placement/reach.hpp"
#include "sim/placement/strategy.hpp"
#include "tests/placement/sampler.hpp"

using namespace moesim;
using namespace moesim::testing;

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

double sum(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double max_of(const std::vector<double>& values) { return *std::ranges::max_element(values); }

// Policies whose GPU loads are not those of the replicas' tokens.
bool moves_tokens_off_replicas(std::string_view policy) {
  return policy == "spill" || policy == "balanced" || policy == "lower_bound";
}

LayerLoad split_once(std::string_view policy, const Placement& placement,
                     std::span<const double> counts) {
  LayerLoad load;
  make_dispatch(policy, placement)->split(0, counts, load);
  return load;
}

}  // namespace

TEST_CASE("loads over GPUs add up to the counts, for every policy") {
  const auto sampled = sampled_problem({}, {.layers = 2, .train_tokens = 512}, 1);
  const Placement placement = place(sampled.problem, {.strategy = "eplb_global"});
  for (const auto& entry : dispatch_policies()) {
    INFO(entry.name);
    const auto policy = make_dispatch(entry.name, placement);
    for (int l = 0; l < 2; ++l) {
      const auto counts = sampled.problem.layer_weights(l);
      LayerLoad load;
      policy->split(l, counts, load);
      CHECK(std::accumulate(load.gpu.begin(), load.gpu.end(), 0.0) ==
            Approx(std::accumulate(counts.begin(), counts.end(), 0.0)).epsilon(1e-9));
    }
  }
}

TEST_CASE("assignments over GPUs of all sources equal the loads that dispatch gives") {
  const auto sampled = sampled_problem({}, {.train_tokens = 1024}, 2);
  const Placement placement = place(sampled.problem, {.strategy = "eplb_global"});
  for (const auto& entry : dispatch_policies()) {
    if (moves_tokens_off_replicas(entry.name)) continue;
    INFO(entry.name);
    const auto policy = make_dispatch(entry.name, placement);
    const Reach reach(placement, *policy, sampled.problem.samples);
    const DispatchDemand& d = reach.sampled(0);
    LayerLoad load;
    policy->split(0, sampled.problem.layer_weights(0), load);
    for (int r = 0; r < d.ranks; ++r) {
      double received = 0;  // from 1024 / 64 tokens on each source
      for (int s = 0; s < d.ranks; ++s) {
        received +=
            16 * d.assignments.at(
                     static_cast<std::size_t>(d.group_of_rank[static_cast<std::size_t>(s)]),
                     static_cast<std::size_t>(r));
      }
      CHECK(received == Approx(load.gpu[static_cast<std::size_t>(r)]).epsilon(1e-9));
    }
  }
}

TEST_CASE("rescaling to the sample's own counts changes nothing") {
  const auto sampled = sampled_problem({}, {.train_tokens = 1024}, 3);
  const Placement placement = place(sampled.problem, {.strategy = "eplb_global"});
  const auto policy = make_dispatch("nearest", placement);
  const Reach reach(placement, *policy, sampled.problem.samples);
  DispatchDemand now;
  reach.rescale(0, sampled.problem.layer_weights(0), DemandShares::nodes, now);
  const DispatchDemand& then = reach.sampled(0);
  const auto same = [](const ShareRows& a, const ShareRows& b) {
    const std::vector<double> one = a.whole();
    const std::vector<double> other = b.whole();
    REQUIRE(one.size() == other.size());
    for (std::size_t i = 0; i < one.size(); ++i)
      CHECK(one[i] == Approx(other[i]).epsilon(1e-9));
  };
  same(now.assignments, then.assignments);
  same(now.reach_rank, then.reach_rank);
  same(now.reach_node, then.reach_node);
}

// One layer with random shape, weights, and random slots (every expert once, then at random).
namespace {

struct RandomCase {
  Placement placement;
  std::vector<double> counts;
};

RandomCase random_case(Stream& random) {
  const int nodes = 1 + static_cast<int>(random.below(3));
  const int gpus = nodes * (1 + static_cast<int>(random.below(4)));
  const int per_gpu = 1 + static_cast<int>(random.below(5));
  const int slots = gpus * per_gpu;
  const int experts = 1 + static_cast<int>(random.below(static_cast<std::uint64_t>(slots)));
  std::vector<int> map;
  for (int s = 0; s < slots; ++s) {
    map.push_back(
        s < experts ? s : static_cast<int>(random.below(static_cast<std::uint64_t>(experts))));
  }
  for (std::size_t s = map.size(); s > 1; --s) std::swap(map[s - 1], map[random.below(s)]);
  RandomCase out{uniform_placement(1, experts, slots, nodes, gpus, map), {}};
  for (int e = 0; e < experts; ++e) {
    out.counts.push_back(random.uniform() < 0.2 ? 0.0 : std::floor(random.lognormal(50, 1.5)));
  }
  return out;
}

// max over sets S of GPUs of (tokens of experts that are only on S) / |S|: the dual of the
// dispatch optimum, by enumeration.
double optimum_by_enumeration(const RandomCase& c) {
  const Placement& p = c.placement;
  double best = 0;
  for (unsigned set = 1; set < 1u << p.gpus; ++set) {
    double load = 0;
    for (int e = 0; e < p.experts; ++e) {
      bool inside = true;
      for (const int s : p.replicas(0, e)) inside &= (set >> p.slot_gpus(0)[z(s)] & 1u) != 0;
      if (inside) load += c.counts[z(e)];
    }
    best = std::max(best, load / std::popcount(set));
  }
  return best;
}

}  // namespace

TEST_CASE("lp reaches the dual bound over all sets of GPUs") {
  CHECK(rc::check([](std::uint64_t seed) {
    Stream random(seed, "lp");
    const RandomCase c = random_case(random);
    const LayerLoad load = split_once("lp", c.placement, c.counts);
    const double bound = optimum_by_enumeration(c);
    RC_ASSERT(std::abs(max_of(load.gpu) - bound) <= 1e-7 * (1 + bound));
  }));
}

TEST_CASE("load bound <= lp <= even split <= all tokens on the worst replica") {
  CHECK(rc::check([](std::uint64_t seed) {
    Stream random(seed, "order");
    const RandomCase c = random_case(random);
    const Placement& p = c.placement;
    const double lp = max_of(split_once("lp", p, c.counts).gpu);
    const double even = max_of(split_once("random", p, c.counts).gpu);
    std::vector<double> worst(z(p.gpus), 0.0);  // each GPU with all tokens of what it holds
    for (int e = 0; e < p.experts; ++e) {
      std::vector<char> on(z(p.gpus), 0);
      for (const int s : p.replicas(0, e)) on[z(p.slot_gpus(0)[z(s)])] = 1;
      for (std::size_t g = 0; g < on.size(); ++g) worst[g] += on[g] ? c.counts[z(e)] : 0.0;
    }
    const double bound = load_bound(c.counts, p.slots, p.gpus);
    RC_ASSERT(bound <= lp * (1 + 1e-9) + 1e-9);
    RC_ASSERT(lp <= even * (1 + 1e-9) + 1e-9);
    RC_ASSERT(even <= max_of(worst) * (1 + 1e-9) + 1e-9);
  }));
}

TEST_CASE("every policy: slots of an expert add up to its count, shares to one") {
  CHECK(rc::check([](std::uint64_t seed) {
    Stream random(seed, "sums");
    const RandomCase c = random_case(random);
    const Placement& p = c.placement;
    for (const auto& entry : dispatch_policies()) {
      const auto policy = make_dispatch(entry.name, p);
      LayerLoad load;
      policy->split(0, c.counts, load);
      RC_ASSERT(std::abs(sum(load.gpu) - sum(c.counts)) <= 1e-6 * (1 + sum(c.counts)));
      std::vector<double> shares;
      policy->shares(0, c.counts, shares);
      for (int e = 0; e < p.experts; ++e) {
        double tokens = 0;
        for (const int s : p.replicas(0, e)) tokens += load.slot[z(s)];
        if (!moves_tokens_off_replicas(entry.name)) {
          RC_ASSERT(std::abs(tokens - c.counts[z(e)]) <= 1e-6 * (1 + c.counts[z(e)]));
        }
        for (int g = 0; g < policy->groups(); ++g) {
          double share = 0;
          for (const int s : p.replicas(0, e)) share += shares[z(g * p.slots + s)];
          RC_ASSERT(std::abs(share - 1) <= 1e-9);
        }
      }
      for (std::size_t g = 0; g < load.gpu.size(); ++g) {
        RC_ASSERT(load.hottest[g] <= load.gpu[g] * (1 + 1e-9) + 1e-9);
        RC_ASSERT(load.active[g] >= 0);
      }
    }
  }));
}

TEST_CASE("min_active needs no more active experts on a GPU than any choice of replicas") {
  CHECK(rc::check([](std::uint64_t seed) {
    Stream random(seed, "active");
    const RandomCase c = random_case(random);
    const Placement& p = c.placement;
    const LayerLoad load = split_once("min_active", p, c.counts);
    // dual, as above, with one per active expert
    RandomCase ones = c;
    for (double& n : ones.counts) n = n > 0 ? 1 : 0;
    const double least = std::ceil(optimum_by_enumeration(ones) - 1e-9);
    RC_ASSERT(max_of(load.active) == least);
  }));
}

TEST_CASE("spill brings every GPU down to its threshold and counts the weights it moved") {
  const auto sampled = sampled_problem({.sigma = 1.5}, {.train_tokens = 4096}, 4);
  const Placement placement = place(sampled.problem, {.strategy = "linear"});
  const auto counts = sampled.problem.layer_weights(0);
  const LayerLoad even = split_once("random", placement, counts);
  const LayerLoad spilled = split_once("spill", placement, counts);
  const double mean = sum(counts) / placement.gpus;
  CHECK(max_of(even.gpu) > 2 * mean);
  CHECK(max_of(spilled.gpu) <= 1.2 * mean * (1 + 1e-9));
  CHECK(sum(spilled.received) > 0);
}

TEST_CASE("a token stays on its GPU, else on its node, under nearest dispatch") {
  // 2 nodes x 2 GPUs; expert 0 on GPUs 0 and 2, expert 1 on GPU 1, expert 2 on GPU 3.
  const Placement p = uniform_placement(1, 3, 4, 2, 4, {0, 1, 0, 2});
  const auto policy = make_dispatch("nearest", p);
  std::vector<double> shares;
  policy->shares(0, std::vector<double>{1, 1, 1}, shares);
  CHECK(shares == std::vector<double>{1, 1, 0, 1, /* node 1 */ 0, 1, 1, 1});
}
