// moesim plan FILE: the cheapest cluster that keeps the scenario's promises, also with a node
// lost and, where the scenario has tenants, with the largest of them twice as hot.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "sim/base/errors.hpp"
#include "sim/scenario/validate.hpp"
#include "tools/cli/command.hpp"
#include "tools/cli/scenario_arguments.hpp"
#include "tools/cli/status_line.hpp"
#include "tools/cli/terminal.hpp"
#include "tools/cli/walk_job.hpp"
#include "tools/fleet/archive.hpp"
#include "tools/fleet/node_search.hpp"
#include "tools/fleet/variants.hpp"
#include "tools/report/table.hpp"

namespace moesim {

namespace {

struct PlanArguments {
  ScenarioArguments scenario;
  std::vector<std::string> vary;
  int most_nodes = 32;
  int short_requests = 1000;
  int jobs = default_jobs();
};

enum class Case { normal, node_lost, hot_tenant };
constexpr const char* kCaseNames[] = {"", "with a node lost", "with the hot tenant"};

// What one run says about a cluster.
struct Trial {
  bool enough = false;
  bool possible = true;
  std::string reason;  // why not
  double price = 0;    // USD per hour
  double ttft_p99 = 0;
  double tpot_p99 = 0;
};

struct Purchase {
  Variant variant;
  NodeSearch search;
  std::optional<Trial> best;           // at search.found(), the normal case
  std::map<int, std::string> reasons;  // by number of nodes, why it is not enough

  // Of the most nodes that are not enough; below the least that are, if there is one.
  [[nodiscard]] std::string reason() const {
    const auto above = reasons.lower_bound(search.found().value_or(1 << 30));
    if (above == reasons.begin()) return "";
    const auto& [nodes, reason] = *std::prev(above);
    return fmt::format("{} nodes: {}", nodes, reason);
  }
};

// Twice the traffic of the tenant with the largest share, all the time.
bool make_hot(Scenario& scenario) {
  auto& tenants = scenario.traffic.tenants;
  if (tenants.empty()) return false;
  auto& hot = *std::ranges::max_element(tenants, {}, &TenantOptions::share);
  hot.surges.push_back({.at = Seconds{0}, .lasts = Seconds{1e9}, .times = 2});
  return true;
}

std::string missed(const Result& result) {
  const RequestCounts& r = result.summary.requests;
  for (const SloVerdict& v : result.summary.slo) {
    if (!v.met) {
      return fmt::format("{} {:.4g} s of {:.4g} s", v.name, v.value.value, v.limit.value);
    }
  }
  if (r.shed + r.failed > 0)
    return fmt::format("{} requests shed or failed", r.shed + r.failed);
  return "";
}

Trial try_cluster(const PlanArguments& arguments, const Purchase& candidate, int nodes,
                  Case which, int requests, const JobLink& link) {
  if (which == Case::node_lost) --nodes;
  Trial trial;
  if (nodes < 1) {
    trial.reason = "a lost node leaves none";
    return trial;  // possible: it is too few
  }
  std::vector<std::string> overrides = arguments.scenario.set;
  if (arguments.scenario.seed) {
    overrides.push_back(fmt::format("seed={}", *arguments.scenario.seed));
  }
  overrides.insert(overrides.end(), candidate.variant.settings.begin(),
                   candidate.variant.settings.end());
  overrides.push_back(fmt::format("cluster.nodes={}", nodes));
  Diagnostics diagnostics;
  Scenario scenario = read_scenario(arguments.scenario.file, overrides, diagnostics);
  if (!diagnostics.has_errors()) validate(scenario, diagnostics);
  diagnostics.throw_if_errors();
  if (which == Case::hot_tenant) make_hot(scenario);
  if (requests > 0) scenario.requests = std::min(scenario.requests, requests);
  const Result result = walk_scenario(scenario, link);
  trial.reason = result.partial ? "interrupted" : missed(result);
  trial.enough = trial.reason.empty();
  if (result.cost.gpu_hours > 0) {
    trial.price = result.cost.total.value / result.cost.gpu_hours * result.gpu_count;
  }
  const auto p99 = [&](MetricId id) {
    const MetricSummary* m = result.summary.find(id);
    return m != nullptr ? m->p99 : 0;
  };
  trial.ttft_p99 = p99(MetricId::ttft);
  trial.tpot_p99 = p99(MetricId::tpot);
  return trial;
}

std::string to_bytes(Trial trial) {
  Archive out;
  out(trial.enough, trial.reason, trial.price, trial.ttft_p99, trial.tpot_p99);
  return out.bytes();
}

Trial trial_from(const JobOutcome& outcome) {
  Trial trial;
  if (outcome.done()) {
    Archive in(outcome.data);
    in(trial.enough, trial.reason, trial.price, trial.ttft_p99, trial.tpot_p99);
  } else if (outcome.kind == JobOutcome::Kind::wrong_input) {
    trial.possible = false;
    for (const Diagnostic& d : outcome.diagnostics) {
      if (d.severity == Severity::error && trial.reason.empty()) trial.reason = d.message;
    }
  } else {
    outcome.rethrow();
  }
  return trial;
}

// Tries (candidate, nodes) in every case; the first trial of each is the normal case.
struct Question {
  std::size_t candidate;
  int nodes;
};
std::vector<std::vector<Trial>> ask(const PlanArguments& arguments,
                                    const std::vector<Purchase>& candidates,
                                    const std::vector<Question>& questions,
                                    const std::vector<Case>& cases, int requests,
                                    StatusLine& status, const std::string& what) {
  std::vector<std::vector<Trial>> trials(questions.size(), std::vector<Trial>(cases.size()));
  const auto of = [&](int i) {
    return std::pair{static_cast<std::size_t>(i) / cases.size(),
                     static_cast<std::size_t>(i) % cases.size()};
  };
  const bool whole = run_jobs(
      static_cast<int>(questions.size() * cases.size()), arguments.jobs,
      [&](int i, const JobLink& link) {
        const auto [q, c] = of(i);
        return to_bytes(try_cluster(arguments, candidates[questions[q].candidate],
                                    questions[q].nodes, cases[c], requests, link));
      },
      [&](int i, const JobOutcome& outcome) {
        const auto [q, c] = of(i);
        trials[q][c] = trial_from(outcome);
      },
      [&](double share) {
        status.show(share, what);
        return !interrupted();
      });
  if (!whole) throw Interrupted{};
  return trials;
}

// The normal case's reason first, then that of each headroom.
std::string reason_of(const std::vector<Trial>& trials, const std::vector<Case>& cases) {
  for (std::size_t c = 0; c < cases.size(); ++c) {
    if (trials[c].enough) continue;
    const char* name = kCaseNames[static_cast<int>(cases[c])];
    return *name == 0 ? trials[c].reason : fmt::format("{}: {}", name, trials[c].reason);
  }
  return "";
}

// Impossible in any case: the scenario cannot be with so many nodes, or with one lost.
NodeAnswer answer_of(const std::vector<Trial>& trials) {
  if (!std::ranges::all_of(trials, &Trial::possible)) return NodeAnswer::impossible;
  return std::ranges::all_of(trials, &Trial::enough) ? NodeAnswer::enough : NodeAnswer::too_few;
}

void search_all(const PlanArguments& arguments, std::vector<Purchase>& candidates,
                const std::vector<Case>& cases, StatusLine& status) {
  for (int round = 1;; ++round) {
    std::vector<Question> questions;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (const auto nodes = candidates[i].search.next()) questions.push_back({i, *nodes});
    }
    if (questions.empty()) return;
    const auto trials =
        ask(arguments, candidates, questions, cases, arguments.short_requests, status,
            fmt::format("round {}, {} clusters", round, questions.size()));
    for (std::size_t q = 0; q < questions.size(); ++q) {
      Purchase& candidate = candidates[questions[q].candidate];
      const std::string reason = reason_of(trials[q], cases);
      const int nodes = questions[q].nodes;
      candidate.search.tell(nodes, answer_of(trials[q]));
      if (candidate.search.found() == nodes) candidate.best = trials[q][0];
      if (!reason.empty()) candidate.reasons[nodes] = reason;
    }
  }
}

std::string table_of(const std::vector<Axis>& axes, const std::vector<Purchase>& candidates,
                     const std::vector<std::size_t>& order) {
  std::vector<std::vector<std::string>> rows{{}};
  for (const Axis& axis : axes) rows[0].push_back(axis.key);
  for (const char* head : {"nodes", "USD/h", "TTFT p99 (ms)", "TPOT p99 (ms)"}) {
    rows[0].emplace_back(head);
  }
  rows[0].emplace_back("one node less, or why not");
  for (const std::size_t i : order) {
    const Purchase& candidate = candidates[i];
    std::vector<std::string> row = candidate.variant.values;
    if (candidate.best) {
      row.push_back(fmt::format("{}", *candidate.search.found()));
      row.push_back(fmt::format("{:.2f}", candidate.best->price));
      row.push_back(fmt::format("{:.1f}", candidate.best->ttft_p99 * 1e3));
      row.push_back(fmt::format("{:.2f}", candidate.best->tpot_p99 * 1e3));
    } else {
      row.insert(row.end(), {"-", "-", "-", "-"});
    }
    row.push_back(candidate.reason());
    rows.push_back(std::move(row));
  }
  return align(rows);
}

// With all requests; a node more each time that they are too many. False: none is enough.
bool confirm(const PlanArguments& arguments, const std::vector<Purchase>& candidates,
             std::size_t winner, const std::vector<Case>& cases, StatusLine& status) {
  for (int nodes = *candidates[winner].search.found(); nodes <= arguments.most_nodes; ++nodes) {
    const auto trials = ask(arguments, candidates, {{winner, nodes}}, cases, 0, status,
                            fmt::format("confirming {} nodes", nodes));
    const std::string reason = reason_of(trials[0], cases);
    if (!reason.empty()) {
      say(fmt::format("With all requests {} nodes are too few: {}\n", nodes, reason));
      continue;
    }
    status.clear();
    const std::string& label = candidates[winner].variant.label;
    print(
        fmt::format("\nBuy {} nodes{} at {:.2f} USD/h: with all requests TTFT p99 {:.1f} ms, "
                    "TPOT p99 {:.2f} ms, every promise kept",
                    nodes, label.empty() ? "" : " (" + label + ")", trials[0][0].price,
                    trials[0][0].ttft_p99 * 1e3, trials[0][0].tpot_p99 * 1e3));
    for (std::size_t c = 1; c < cases.size(); ++c) {
      print(fmt::format(", also {}", kCaseNames[static_cast<int>(cases[c])]));
    }
    print("\n");
    return true;
  }
  return false;
}

int plan(const PlanArguments& arguments) {
  const Scenario scenario = load_scenario(arguments.scenario);
  if (slo_targets(scenario.slo).empty()) {
    throw InputError("the scenario promises nothing, so every cluster would do",
                     "[slo] with a promise such as tpot_p99 = \"50 ms\"");
  }
  const std::vector<Axis> axes = parse_axes(arguments.vary);
  std::vector<Purchase> candidates;
  for (Variant& variant : all_variants(axes)) {
    candidates.push_back({std::move(variant), NodeSearch(arguments.most_nodes), {}, {}});
  }
  std::vector<Case> cases{Case::normal, Case::node_lost};
  if (!scenario.traffic.tenants.empty()) {
    cases.push_back(Case::hot_tenant);
  } else {
    say("The scenario has no [[traffic.tenant]]: headroom for a hot one is not tested.\n");
  }
  StatusLine status("planning");
  watch_for_interrupts();
  search_all(arguments, candidates, cases, status);
  status.clear();
  std::vector<std::size_t> order(candidates.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, {}, [&](std::size_t i) {
    return std::pair{!candidates[i].best.has_value(),
                     candidates[i].best ? candidates[i].best->price : 0.0};
  });
  print(table_of(axes, candidates, order));
  for (const std::size_t i : order) {
    if (candidates[i].best && confirm(arguments, candidates, i, cases, status)) return kDone;
  }
  print(fmt::format("\nNo candidate keeps the promises with at most {} nodes.\n",
                    arguments.most_nodes));
  return kSloMissed;
}

}  // namespace

Action declare_plan(CLI::App& app) {
  auto arguments = std::make_shared<PlanArguments>();
  add_scenario_arguments(app, arguments->scenario);
  app.add_option("--vary", arguments->vary,
                 "What else may be chosen: a key and its values, as serving.tp=1,8, "
                 "placement.strategy=eplb,hypergraph or cluster.preset=hgx-h100,hgx-h200")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUES");
  app.add_option("--nodes", arguments->most_nodes, "Nodes that may be bought at most")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str()
      ->type_name("N");
  app.add_option("--requests", arguments->short_requests,
                 "Requests per run while searching; the winner is confirmed with all")
      ->check(CLI::Range(1, 1000000000))
      ->capture_default_str()
      ->type_name("N");
  add_jobs_option(app, arguments->jobs);
  return [arguments] { return plan(*arguments); };
}

}  // namespace moesim
