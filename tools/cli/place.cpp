// moesim place FILE | --problem FILE.json
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"
#include "sim/placement/bounds.hpp"
#include "sim/placement/problem_json.hpp"
#include "sim/placement/reach.hpp"
#include "sim/placement/strategy.hpp"
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
};

Trial trial_of(const Scenario& s) {
  const Parallelism parallel =
      resolve_parallelism(s.serving, s.cluster.nodes * s.cluster.node.gpus);
  if (s.model.experts == 0) {
    throw InputError("model '" + s.model.name + "' has no experts to place", "an MoE model");
  }
  Router router(s.router, router_shape(s.model, s.router), s.seed,
                domains_of(s.traffic.tenants).first);
  Trial trial;
  PlacementProblem& p = trial.past.problem;
  p.layers = router.shape().layers;
  p.experts = router.shape().experts;
  p.slots = expert_slots(s.model, s.placement, parallel);
  p.groups = router.shape().expert_groups;
  p.gpus = parallel.ep;
  const int span = parallel.ep * parallel.moe_tp;
  p.nodes = span % s.cluster.node.gpus == 0 ? span / s.cluster.node.gpus : 1;
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
  double nodes = 0;  // per token
  double gpus = 0;   // per token
};

Row judge_strategy(const Trial& trial, const PlacementOptions& options) {
  const PlacementProblem& p = trial.past.problem;
  const Placement placement = place(p, options);
  const auto policy = make_dispatch(options.dispatch, placement);
  const Reach reach(placement, *policy, p.samples);
  Row row{options.strategy, judge(p, placement)};
  LayerLoad load;
  const auto experts = static_cast<std::size_t>(p.experts);
  for (int l = 0; l < p.layers; ++l) {
    policy->split(
        l, std::span(trial.later).subspan(static_cast<std::size_t>(l) * experts, experts),
        load);
    row.later += balancedness(load.gpu) / p.layers;
    row.nodes += reach.nodes_per_token(l) / p.layers;
    row.gpus += reach.ranks_per_token(l) / p.layers;
  }
  return row;
}

// Every strategy that the scenario can run; why not, on stderr, for the others.
int place_scenario(const ScenarioArguments& arguments) {
  const Scenario scenario = load_scenario(arguments);
  const Trial trial = trial_of(scenario);
  const PlacementProblem& p = trial.past.problem;
  std::string out = fmt::format(
      "{} layers x {} experts in {} slots on {} GPUs, {} nodes; dispatch {}\n"
      "{:<18} {:>12} {:>10} {:>12} {:>11} {:>10} {:>10}\n",
      p.layers, p.experts, p.slots, p.gpus, p.nodes, scenario.placement.dispatch, "strategy",
      "balancedness", "gap", "later", "nodes/token", "GPUs/token", "duplicates");
  for (const auto& entry : placement_strategies()) {
    PlacementOptions options = scenario.placement;
    options.strategy = entry.name;
    if (entry.name == "external" && options.program.empty()) continue;
    if (entry.name == "file" && options.file.empty()) continue;
    try {
      const Row row = judge_strategy(trial, options);
      out += fmt::format("{:<18} {:>12.4f} {:>9.1f}% {:>12.4f} {:>11.3f} {:>10.3f} {:>10}\n",
                         row.strategy, row.past.balancedness, 100 * row.past.gap, row.later,
                         row.nodes, row.gpus, row.past.same_gpu_duplicates);
    } catch (const InputError& e) {
      if (entry.name == scenario.placement.strategy) throw;
      say(fmt::format("{} is left out: {}\n", entry.name, e.diagnostics().front().message));
    }
  }
  print(out);
  say("balancedness and gap: mean / busiest GPU and busiest / lower bound - 1 on the traffic "
      "placed for, even split; later: balancedness on later traffic under the dispatch "
      "policy\n");
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
