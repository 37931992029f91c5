// Whether instances can be pipelines: the layers and the nodes.
#include <fmt/format.h>

#include "sim/base/diagnostics.hpp"
#include "sim/scenario/contradictions.hpp"
#include "sim/scenario/validate.hpp"
#include "sim/serving/pools.hpp"

namespace moesim {

namespace {

std::string key_of(const Pool& pool) {
  if (pool.role == PoolRole::mixed) return "serving.pp";
  return pool.role == PoolRole::prefill ? "serving.prefill.pp" : "serving.decode.pp";
}

void check_stages(const Scenario& s, const Pool& pool, Contradictions& tell) {
  const std::string key = key_of(pool);
  const Parallelism& p = pool.parallel;
  if (p.pp > s.model.layers) {
    tell.error({key, "model.layers"},
               fmt::format("{} pipeline stages of a model of {} layers", p.pp, s.model.layers),
               "at least one layer per stage");
  }
  const std::vector<NodeKind> kinds = node_kinds(s.cluster, pool);
  if (kinds.size() > 1) {
    tell.error({key, "cluster.group"},
               fmt::format("{} kinds of nodes would be stages of one pipeline: not modelled",
                           kinds.size()),
               fmt::format("{} = 1, or GPUs of one kind", key));
    return;
  }
  const int node = kinds.front().node.gpus;
  const int stage = p.stage_gpus();
  if (stage % node != 0 && node % stage != 0) {
    tell.error({key, kinds.front().key + ".node.gpus"},
               fmt::format("stages of {} GPUs lie differently over nodes of {}", stage, node),
               "stages that fill nodes, or nodes that are filled by stages");
  }
}

}  // namespace

void validate_pipeline(const Scenario& s, Contradictions& tell) {
  int nodes = 0;
  for (const NodeKind& kind : node_kinds(s.cluster)) nodes += kind.nodes;
  std::vector<Pool> pools;
  try {
    pools = plan_pools(s.serving, nodes, static_cast<int>(gpu_count(s.cluster)));
  } catch (const InputError&) {  // validate_memory tells it
    return;
  }
  for (const Pool& pool : pools) {
    if (pool.parallel.pp > 1) check_stages(s, pool, tell);
  }
}

}  // namespace moesim
