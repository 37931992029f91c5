#include "tools/cli/command.hpp"

namespace moesim {

std::span<const Command> commands() {
  static constexpr Command table[] = {
      {"run", "simulate one scenario: latencies, utilization, balance",
       "moesim run scenarios/quickstart.toml\n"
       "moesim run scenarios/quickstart.toml --set placement.strategy=linear --seed 2\n"
       "moesim run my.toml -o runs/my --check-slo --format json\n"
       "moesim run my.toml --replications 10 -j 4\n"
       "moesim run my.toml --trace-window 60s:61s     trace.pftrace, for ui.perfetto.dev",
       declare_run},
      {"compare", "one scenario with several values of a key, same random numbers, one table",
       "moesim compare my.toml --vary placement.strategy=linear,eplb,hypergraph\n"
       "moesim compare my.toml --vary cluster.nodes=4:12:4 --replications 10 --format markdown",
       declare_compare},
      {"sweep", "a grid of runs into one SQLite store; resumable, in parts for job arrays",
       "moesim sweep my.toml --vary placement.strategy=linear,eplb --vary "
       "cluster.nodes=4:12:4\n"
       "moesim sweep my.toml --vary \"traffic.arrivals.rate=10:80:10 req/s\" -o rate.sqlite\n"
       "moesim sweep my.toml --vary router.skew=0.3:1.5:0.3 --resume --shard 2/8 -o 2.sqlite\n"
       "moesim sweep my.toml -o my.sqlite     what [sweep] in my.toml says\n"
       "moesim report rate.sqlite",
       declare_sweep},
      {"plan", "what to buy: the cheapest cluster that keeps the promises, with headroom",
       "moesim plan my.toml --nodes 16\n"
       "moesim plan my.toml --vary cluster.preset=hgx-h100,hgx-h200 --vary serving.tp=1,8\n"
       "moesim plan my.toml --vary placement.strategy=eplb,hypergraph",
       declare_plan},
      {"calibrate", "kernel profiles: measure this GPU, fit, show, import",
       "moesim calibrate -o my-gpu\nmoesim calibrate --quick --model deepseek-v3 -o my-gpu\n"
       "moesim calibrate show h200-sxm/sglang\nmoesim calibrate show --all\n"
       "moesim calibrate fit moe.csv.gz gemm.csv.gz --gpu h200-sxm --engine sglang -o my.toml\n"
       "moesim calibrate import nccl alltoall.txt -o alltoall.csv",
       declare_calibrate},
      {"report", "report.html and pictures again from a run's folder",
       "moesim report runs/hot-tenant\n"
       "moesim report runs/hot-tenant --plot blame_e2el --format png\n"
       "moesim report runs/hot-tenant --plot list\n"
       "moesim report sweep.1.sqlite sweep.2.sqlite     the shards of a sweep",
       declare_report},
      {"import", "what real engines recorded: expert loads and tokens, as a router",
       "moesim import trace load.csv --model deepseek-v3\n"
       "moesim import trace tokens.jsonl --model deepseek-v3 --fit -o router.toml",
       declare_import},
      {"topology", "the cluster: links, bisection, hot links, single points of failure",
       "moesim topology scenarios/quickstart.toml\n"
       "moesim topology scenarios/quickstart.toml --format dot | dot -Tsvg > cluster.svg",
       declare_topology},
      {"place", "placements alone: every strategy on a load, with bounds",
       "moesim place scenarios/quickstart.toml\nmoesim place --problem problem.json",
       declare_place},
      {"list", "what there is: models, systems, policies, profiles, metrics",
       "moesim list models\nmoesim list placements", declare_list},
      {"explain", "what a scenario key means, its unit, range and default",
       "moesim explain placement.strategy\nmoesim explain serving\nmoesim explain --all",
       declare_explain},
      {"schema", "the JSON Schema of scenarios, for editors",
       "moesim schema > moesim.schema.json", declare_schema},
      {"completion", "a completion script for the shell",
       "source <(moesim completion bash)\nsource <(moesim completion zsh)", declare_completion},
  };
  return table;
}

}  // namespace moesim
