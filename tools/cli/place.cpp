// moesim place FILE | --problem FILE.json
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "sim/base/dtype.hpp"
#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"
#include "sim/machine/rank_group.hpp"
#include "sim/placement/bounds.hpp"
#include "sim/placement/problem_json.hpp"
#include "sim/placement/reach.hpp"
#include "sim/placement/spectral.hpp"
#include "sim/placement/strategy.hpp"
#include "sim/placement/token_traffic.hpp"
#include "sim/serving/expert_setup.hpp"
#include "tools/cli/command.hpp"
#include "tools/cli/scenario_arguments.hpp"
#include "tools/cli/terminal.hpp"

namespace moesim {

namespace {

struct PlaceArguments {
  ScenarioArguments scenario;
  std::string problem;
};

// A scenario's problem, with later traffic of the same router to judge on.
struct Trial {
  ProblemFile past;
  std::vector<double> later;  // [layers * experts] counts
  Bytes expert{0};            // weights of one expert of one layer
  Bytes row{0};               // of one token dispatched
  Bytes back{0};              // of one token combined
};

Trial trial_of(const Scenario& s) {
  const Cluster cluster = build_cluster(s.cluster);
  const Parallelism parallel = resolve_parallelism(s.serving, cluster.gpus());
  if (s.model.experts == 0) {
    throw InputError("model '" + s.model.name + "' has no experts to place", "an MoE model");
  }
  Router router(s.router, router_shape(s.model, s.router), s.seed,
                domains_of(s.traffic.tenants).first);
  const std::vector<GpuId> ranks = expert_ranks(parallel, GpuId{0});
  Trial trial;
  trial.expert = expert_bytes(s.model);
  const int width = s.model.dispatch_width > 0 ? s.model.dispatch_width : s.model.hidden;
  trial.row = Bytes{width * info(s.model.dispatch).activation_bytes};
  trial.back = Bytes{s.model.hidden * info(s.model.combine).activation_bytes};
  PlacementProblem& p = trial.past.problem;
  p.layers = router.shape().layers;
  p.experts = router.shape().experts;
  p.slots = expert_slots(s.model, s.placement, parallel);
  p.groups = router.shape().expert_groups;
  p.gpus = parallel.ep;
  p.nodes = RankGroup(cluster, ranks).domains();
  p.gpu_speed = expert_speeds(cluster, ranks);
  ExpertCounts counts;
  router.counts({.tokens = s.placement.training_tokens, .share = {}}, counts);
  p.weights.assign(counts.begin(), counts.end());
  router.counts({.tokens = s.placement.training_tokens, .share = {}}, counts);
  trial.later.assign(counts.begin(), counts.end());
  for (int l = 0; l < p.layers; ++l) {
    const TokenSample& sample = router.sample(l);
    trial.past.tokens.emplace_back(sample.expert.begin(), sample.expert.end());
  }
  for (const auto& tokens : trial.past.tokens)
    p.samples.push_back({tokens, router.shape().top_k});
  return trial;
}

struct Row {
  std::string strategy;
  PlacementVerdict past;
  double later = 0;  // balancedness of later traffic under the scenario's dispatch
  TokenTraffic traffic;
  int slots = 0;  // of the fullest GPU, all layers
  int moved = 0;  // experts that a placement for the later traffic would bring to other GPUs
};

int fullest_gpu(const Placement& placement) {
  std::vector<int> slots(static_cast<std::size_t>(placement.gpus), 0);
  for (int l = 0; l < placement.layers; ++l) {
    const auto begin = placement.gpu_slots(l);
    for (std::size_t g = 0; g < slots.size(); ++g) slots[g] += begin[g + 1] - begin[g];
  }
  return *std::ranges::max_element(slots);
}

// Placed again for the later traffic, as the rebalancer does.
int moved_experts(const Trial& trial, const Placement& placement,
                  const PlacementOptions& options) {
  PlacementProblem again = trial.past.problem;
  again.weights = trial.later;
  const bool uniform =
      placement.physical_to_logical.size() ==
      static_cast<std::size_t>(again.layers) * static_cast<std::size_t>(again.slots);
  if (uniform) again.previous = placement.physical_to_logical;
  return migrated_experts(placement, place(again, options));
}

Row judge_strategy(const Trial& trial, const PlacementOptions& options) {
  const PlacementProblem& p = trial.past.problem;
  const Placement placement = place(p, options);
  const auto policy = make_dispatch(options.dispatch, placement, {.gpu_speed = p.gpu_speed});
  const Reach reach(placement, *policy, p.samples);
  Row row{options.strategy, judge(p, placement)};
  row.slots = fullest_gpu(placement);
  row.moved = moved_experts(trial, placement, options);
  LayerLoad load;
  const auto experts = static_cast<std::size_t>(p.experts);
  for (int l = 0; l < p.layers; ++l) {
    policy->split(
        l, std::span(trial.later).subspan(static_cast<std::size_t>(l) * experts, experts),
        load);
    row.later += balancedness(load.gpu, p.gpu_speed) / p.layers;
    row.traffic = row.traffic + token_traffic(reach.sampled(l)) / p.layers;
  }
  return row;
}

std::string heading() {
  return fmt::format(
      "{:<18} {:>12} {:>7} {:>7} {:>7} {:>7} {:>12} {:>13} {:>13} {:>8} {:>9} {:>10}\n",
      "strategy", "balancedness", "gap", "later", "nodes", "GPUs", "NVLink KiB", "dispatch KiB",
      "combine KiB", "GiB/GPU", "moved GiB", "duplicates");
}

std::string line(const Row& row, const Trial& trial) {
  const TokenTraffic& t = row.traffic;
  const double kib = trial.row.value / 1024;
  const double back = trial.back.value / 1024;
  return fmt::format(
      "{:<18} {:>12.4f} {:>6.1f}% {:>7.4f} {:>7.3f} {:>7.3f} {:>12.2f} {:>13.2f} {:>13.2f} "
      "{:>8.2f} {:>9.2f} {:>10}\n",
      row.strategy, row.past.balancedness, 100 * row.past.gap, row.later, t.nodes, t.gpus,
      (t.near_gpus + t.forwarded) * kib, t.remote_nodes * kib, t.remote_nodes * back,
      row.slots * trial.expert.value / (1 << 30), row.moved * trial.expert.value / (1 << 30),
      row.past.same_gpu_duplicates);
}

constexpr const char* kLegend =
    "balancedness: mean / busiest GPU, gap: busiest GPU / lower bound - 1, both on the "
    "traffic\n"
    "placed for, replicas evenly used; later: balancedness of later traffic under the "
    "dispatch\n"
    "policy; nodes, GPUs: that a token reaches in a layer; NVLink: bytes a token sends inside\n"
    "nodes in a layer's dispatch; dispatch, combine: between nodes, one copy for each node;\n"
    "GiB/GPU: experts on the fullest GPU; moved: weights that change GPUs, all layers, when it "
    "is\n"
    "placed again for the later traffic; duplicates: replicas beside another of the same "
    "expert\n";

double mean_nodes_bound(const PlacementProblem& p) {
  double sum = 0;
  for (const TokenView& sample : p.samples) {
    sum += nodes_per_token_bound(sample, p.experts, p.nodes, p.slots / p.nodes);
  }
  return sum / p.layers;
}

// Every strategy that the scenario can run; why not, on stderr, for the others.
int place_scenario(const ScenarioArguments& arguments) {
  const Scenario scenario = load_scenario(arguments);
  const Trial trial = trial_of(scenario);
  const PlacementProblem& p = trial.past.problem;
  std::string out =
      fmt::format("{} layers x {} experts in {} slots on {} GPUs, {} nodes; dispatch {}\n",
                  p.layers, p.experts, p.slots, p.gpus, p.nodes, scenario.placement.dispatch) +
      heading();
  for (const auto& entry : placement_strategies()) {
    PlacementOptions options = scenario.placement;
    options.strategy = entry.name;
    if (entry.name == "external" && options.program.empty()) continue;
    if (entry.name == "file" && options.file.empty()) continue;
    try {
      out += line(judge_strategy(trial, options), trial);
    } catch (const InputError& e) {
      if (entry.name == scenario.placement.strategy) throw;
      say(fmt::format("{} is left out: {}\n", entry.name, e.diagnostics().front().message));
    }
  }
  out +=
      fmt::format("nodes per token, spectral bound where no expert is on two nodes: {:.3f}\n",
                  mean_nodes_bound(p));
  print(out);
  say(kLegend);
  return kDone;
}

std::string problem_text(const std::string& file) {
  try {
    return read_file(file);
  } catch (const WorldError& e) {
    throw InputError(e.what(), "a readable file", "moesim place --help");
  }
}

}  // namespace

Action declare_place(CLI::App& app) {
  auto arguments = std::make_shared<PlaceArguments>();
  add_scenario_arguments(app, arguments->scenario);
  app.get_option("FILE")->required(false);
  app.add_option("--problem", arguments->problem,
                 "A placement problem as JSON; stdout gets the placement as JSON")
      ->type_name("FILE.json");
  return [arguments] {
    if (arguments->problem.empty() == arguments->scenario.file.empty()) {
      throw InputError("moesim place takes a scenario or a problem",
                       "FILE or --problem FILE.json");
    }
    if (arguments->problem.empty()) return place_scenario(arguments->scenario);
    print(place_problem(problem_text(arguments->problem), arguments->problem));
    return kDone;
  };
}

}  // namespace moesim
