// Laws of all registered strategies, on random problems.
#include "sim/placement/strategy.hpp"

#include <rapidcheck.h>

#include <catch2/catch.hpp>
#include <iostream>
#include <numeric>

#include "sim/base/rng.hpp"
#include "sim/placement/bounds.hpp"
#include "sim/placement/dispatch.hpp"
#include "sim/placement/rebalance.hpp"
#include "tests/placement/sampler.hpp"

using namespace moesim;
using namespace moesim::testing;

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

int up_to(Stream& random, int n) {
  return static_cast<int>(random.below(static_cast<std::uint64_t>(n)));
}

// Groups divide over nodes; at most 96 experts x GPUs, so that `optimal` takes it too.
PlacementProblem random_problem(Stream& random) {
  PlacementProblem p;
  p.layers = 1 + up_to(random, 3);
  p.nodes = 1 + up_to(random, 2);
  p.gpus = p.nodes * (1 + up_to(random, 2));
  p.groups = p.nodes * (1 + up_to(random, 2));
  p.experts = p.groups * (1 + up_to(random, 2));
  while (p.experts * p.gpus > 24) p.experts -= p.groups;
  p.experts = std::max(p.experts, p.groups);
  const int least = (p.experts + p.gpus - 1) / p.gpus;
  p.slots = p.gpus * (least + up_to(random, 2));
  for (int i = 0; i < p.layers * p.experts; ++i) {
    p.weights.push_back(random.uniform() < 0.1 ? 0.0 : random.lognormal(100, 1));
  }
  return p;
}

bool needs_more(std::string_view strategy) {
  return strategy == "external" || strategy == "file";
}

// Under the even split; what `place` gives by this strategy.
Placement placed(const PlacementProblem& p, std::string_view strategy) {
  PlacementOptions options;
  options.strategy = strategy;
  return place(p, options);
}

double busiest_sum(const PlacementProblem& p, const Placement& placement) {
  double sum = 0;
  for (int l = 0; l < p.layers; ++l) sum += busiest_gpu(placement, l, p.layer_weights(l));
  return sum;
}

}  // namespace

TEST_CASE("every strategy: each expert has a slot, loads add up, the bound holds, and again") {
  CHECK(rc::check([](std::uint64_t seed) {
    Stream random(seed, "strategies");
    const PlacementProblem p = random_problem(random);
    for (const auto& entry : placement_strategies()) {
      if (needs_more(entry.name)) continue;
      const Placement placement = placed(p, entry.name);
      RC_ASSERT(placement.layers == p.layers && placement.gpus == p.gpus);
      RC_ASSERT(placement.physical_to_logical.size() == z(p.layers) * z(p.slots));
      for (int l = 0; l < p.layers; ++l) {
        for (int e = 0; e < p.experts; ++e) RC_ASSERT(!placement.replicas(l, e).empty());
        const auto weights = p.layer_weights(l);
        const auto loads = fair_gpu_loads(placement, l, weights);
        const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
        RC_ASSERT(std::abs(std::accumulate(loads.begin(), loads.end(), 0.0) - total) <=
                  1e-9 * (1 + total));
        RC_ASSERT(load_bound(weights, placement.layer_slots(l), p.gpus) <=
                  busiest_gpu(placement, l, weights) * (1 + 1e-9) + 1e-9);
        const bool varies = entry.name == "device_groups" || entry.name == "layer_budget";
        for (int g = 0; g < p.gpus && !varies; ++g) {
          const auto begin = placement.gpu_slots(l);
          RC_ASSERT(begin[z(g) + 1] - begin[z(g)] == p.slots_per_gpu());
        }
      }
      RC_ASSERT(placed(p, entry.name).physical_to_logical == placement.physical_to_logical);
    }
  }));
}

TEST_CASE("scaling all weights changes nothing") {
  CHECK(rc::check([](std::uint64_t seed) {
    Stream random(seed, "scale");
    PlacementProblem p = random_problem(random);
    PlacementProblem q = p;
    for (double& w : q.weights) w *= 1024;  // a power of two: exact
    for (const auto& entry : placement_strategies()) {
      if (needs_more(entry.name)) continue;
      RC_ASSERT(placed(p, entry.name).physical_to_logical ==
                placed(q, entry.name).physical_to_logical);
    }
  }));
}

namespace {

// Busiest GPUs of a random problem and of the same with its experts renamed.
struct Renamed {
  PlacementProblem before;
  PlacementProblem after;
};
Renamed renamed_problem(std::uint64_t seed) {
  Stream random(seed, "rename");
  PlacementProblem p = random_problem(random);
  p.groups = 1;
  for (double& w : p.weights) w += random.uniform();  // no ties
  PlacementProblem q = p;
  const int shift = up_to(random, p.experts);
  for (int l = 0; l < p.layers; ++l) {
    for (int e = 0; e < p.experts; ++e) {
      q.weights[z(l * p.experts + (e + shift) % p.experts)] = p.weights[z(l * p.experts + e)];
    }
  }
  return {p, q};
}

}  // namespace

TEST_CASE("renaming experts leaves the busiest GPU as busy") {
  CHECK(rc::check([](std::uint64_t seed) {
    const auto [p, q] = renamed_problem(seed);
    // One item per GPU is left unpacked, as published, and node packs may then differ.
    if (p.slots == p.gpus && p.nodes > 1) return;
    for (const char* strategy : {"eplb", "eplb_global", "eplb_multistep", "hypergraph",
                                 "layer_budget", "device_groups", "linked"}) {
      const double a = busiest_sum(p, placed(p, strategy));
      const double b = busiest_sum(q, placed(q, strategy));
      RC_ASSERT(std::abs(a - b) <= 1e-9 * (1 + a));
    }
  }));
}

// Two experts that relieve a node for the same price: the first by number used to be taken, so
// that about one problem in a thousand was placed otherwise under other names.
TEST_CASE("equal prices of relief are not decided by the experts' numbers") {
  for (const std::uint64_t seed : {10u, 294u, 3580u, 3716u}) {
    const auto [p, q] = renamed_problem(seed);
    CHECK(busiest_sum(p, placed(p, "hypergraph")) ==
          Approx(busiest_sum(q, placed(q, "hypergraph"))).epsilon(1e-9));
  }
}

TEST_CASE("hypergraph is never busier than eplb on the window it was fitted on") {
  CHECK(rc::check([](std::uint64_t seed) {
    Stream random(seed, "portfolio");
    const PlacementProblem p = random_problem(random);
    const Placement ours = placed(p, "hypergraph");
    const Placement plain = placed(p, "eplb");
    for (int l = 0; l < p.layers; ++l) {
      RC_ASSERT(busiest_gpu(ours, l, p.layer_weights(l)) <=
                busiest_gpu(plain, l, p.layer_weights(l)) * (1 + 1e-12));
    }
  }));
}

TEST_CASE("no strategy is below the optimum, under the best dispatch there is") {
  CHECK(rc::check([](std::uint64_t seed) {
    Stream random(seed, "optimum");
    const PlacementProblem p = random_problem(random);
    const auto lp_busiest = [&](const Placement& placement, int layer) {
      LayerLoad load;
      make_dispatch("lp", placement)->split(layer, p.layer_weights(layer), load);
      return *std::ranges::max_element(load.gpu);
    };
    const Placement best = placed(p, "optimal");
    for (const char* strategy : {"linear", "eplb_global", "hypergraph", "eplb_multistep"}) {
      const Placement other = placed(p, strategy);
      for (int l = 0; l < p.layers; ++l) {
        const double least = lp_busiest(best, l);
        RC_ASSERT(load_bound(p.layer_weights(l), p.slots, p.gpus) <= least * (1 + 1e-6) + 1e-9);
        RC_ASSERT(least <= lp_busiest(other, l) * (1 + 1e-5) + 1e-9);
      }
    }
  }));
}

TEST_CASE("migration never exceeds its budget, and a budget of zero changes nothing") {
  CHECK(rc::check([](std::uint64_t seed) {
    Stream random(seed, "migration");
    PlacementProblem p = random_problem(random);
    const Placement before = placed(p, "linear");
    p.previous = before.physical_to_logical;
    for (const int budget : {0, 1, 3, 1000}) {
      p.migration_budget = budget;
      for (const auto& entry : placement_strategies()) {
        if (needs_more(entry.name)) continue;
        const Placement next = placed(p, entry.name);
        RC_ASSERT(migrated_experts(before, next) <= budget);
        if (budget == 0 && entry.name == "incremental") {
          RC_ASSERT(next.physical_to_logical == before.physical_to_logical);
        }
      }
    }
  }));
}

TEST_CASE("incremental improves on the placement in force with every copy it may make") {
  auto sampled = sampled_problem({.sigma = 0.7}, {.layers = 2, .train_tokens = 16384}, 5);
  PlacementProblem& p = sampled.problem;
  p.previous = placed(p, "linear").physical_to_logical;
  double before = busiest_sum(p, placed(p, "linear"));
  for (const int budget : {8, 32, 128}) {
    p.migration_budget = budget;
    const double after = busiest_sum(p, placed(p, "incremental"));
    CHECK(after < before);
    before = after;
  }
}

TEST_CASE("migration stages carry every missing expert once and stay within the byte budget") {
  auto sampled = sampled_problem({.sigma = 0.7}, {.layers = 6, .train_tokens = 4096}, 6);
  const Placement before = placed(sampled.problem, "linear");
  const Placement next = placed(sampled.problem, "eplb_global");
  for (const char* migration : {"bulk", "async", "layerwise"}) {
    RebalanceOptions options{.migration = migration};
    options.budget_per_step = Bytes{250e6};
    const auto stages = migration_stages(options, before, next, Bytes{44e6});
    int copies = 0;
    Placement now = before;
    for (const auto& stage : stages) {
      copies += static_cast<int>(stage.copies.size());
      std::vector<int> received(z(next.gpus), 0);
      for (const auto& copy : stage.copies) {
        ++received[z(copy.to)];
        const auto gpus = before.slot_gpus(copy.layer);
        bool holds = false;
        for (const int s : before.replicas(copy.layer, copy.expert)) {
          holds |= gpus[z(s)] == copy.from;
        }
        CHECK(holds);
      }
      if (options.migration == "layerwise") {
        CHECK(*std::ranges::max_element(received) * 44e6 <= 250e6 * stage.steps);
      }
      CHECK(stage.stalls == (options.migration == "bulk"));
      now = with_layers(now, next, stage.layers);
    }
    CHECK(copies == migrated_experts(before, next));
    CHECK(now.physical_to_logical == next.physical_to_logical);
  }
  CHECK(rebalance_due({.every_steps = 3000}, 3000, 1.0));
  CHECK(!rebalance_due({.every_steps = 3000}, 2999, 0.1));
  CHECK(rebalance_due({.below_balancedness = 0.8}, 1, 0.79));
  CHECK(!rebalance_due({}, 1000000, 0.0));
}

TEST_CASE("faster GPUs get more load") {
  PlacementProblem p{1, 32, 40, 1, 1, 8};
  Stream random(7, "speeds");
  for (int e = 0; e < 32; ++e) p.weights.push_back(random.lognormal(100, 0.5));
  p.gpu_speed = {2, 1, 1, 1, 1, 1, 1, 1};
  const auto loads = fair_gpu_loads(placed(p, "hypergraph"), 0, p.weights);
  CHECK(loads[0] > 1.4 * std::accumulate(loads.begin() + 1, loads.end(), 0.0) / 7);
}

namespace {

// Balancedness of later traffic, mean over layers: 256 experts, 288 slots, 32 GPUs; after
// placing, every expert's popularity moves by a factor of its own, lognormal of that sigma.
struct Drifted {
  double even = 0;  // even split over replicas
  double lp = 0;
};
Drifted after_drift(const char* strategy, double drift) {
  Drifted out;
  constexpr int kLayers = 8;
  for (int l = 0; l < kLayers; ++l) {
    Sampler sampler({.sigma = 0.7}, 8, l);
    PlacementProblem p{1, 256, 288, 1, 4, 32};
    p.weights = count_experts(sampler.tokens(32768), 256);
    const Placement placement = placed(p, strategy);
    sampler.drift(drift);
    const auto counts = count_experts(sampler.tokens(32768), 256);
    LayerLoad load;
    make_dispatch("random", placement)->split(0, counts, load);
    out.even += balancedness(load.gpu) / kLayers;
    make_dispatch("lp", placement)->split(0, counts, load);
    out.lp += balancedness(load.gpu) / kLayers;
  }
  std::cout << "drift " << drift << ", " << strategy << ": even split " << out.even << ", lp "
            << out.lp << "\n";
  return out;
}

}  // namespace

TEST_CASE(
    "under drift lp lifts a placement made for earlier traffic, most where GPUs are linked") {
  for (const double drift : {0.2, 0.25, 0.3}) {
    const Drifted eplb = after_drift("eplb_global", drift);
    const Drifted linked = after_drift("linked", drift);
    CHECK(eplb.lp > eplb.even);
    CHECK(linked.lp > eplb.lp);
  }
}
