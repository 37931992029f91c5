// The parts of a Result that serving and training have in common.
#pragma once

#include <span>
#include <string>

#include "sim/machine/ledger.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/serving/cluster_costs.hpp"
#include "sim/serving/moe_step.hpp"
#include "tools/report/result.hpp"
#include "topology/cluster.hpp"

namespace moesim {

// The EP groups of a run, all with the same router's popularity; empty for a dense model.
using ExpertGroups = std::span<const MoeStep* const>;

// Name, model, cluster and seed.
void collect_header(const Scenario& scenario, const Cluster& cluster, Result& result);

// Loads by layer and expert; after result.steps. `gpus_per_rank` share an expert.
void collect_layers(ExpertGroups groups, int gpus_per_rank, Result& result);

// What was beyond the experts' capacity.
void collect_overflow(ExpertGroups groups, int top_k, Result& result);

// Who sent a domain's tokens. Tenants of one domain share its experts' loads by their tokens.
struct TenantShare {
  std::string tenant;
  std::string domain;
  int domain_index = 0;  // as the routers number them
  double share = 1;      // of the domain's tokens
};

// What the routers' watches know; after the layers and experts of the result.
void collect_router(const Scenario& scenario, ExpertGroups groups,
                    std::span<const TenantShare> tenants, Seconds duration, Result& result);

// `exchanging`: how long collectives ran.
void collect_links(const Cluster& cluster, const LinkLedger& ledger, Seconds duration,
                   Seconds exchanging, Result& result);

// After gpus and throughput. `off`: GPU-seconds that were given back; they still draw idle
// power. GPUs whose own profile has measured energy draw what it says while they compute; the
// others are taken between idle and full power by utilization.
void collect_cost(const Scenario& scenario, const Cluster& cluster, const ClusterCosts& costs,
                  Seconds duration, Seconds off, Result& result);

// `kernels` [kinds of GPU] of attention and dense parts.
void collect_provenance(const Scenario& scenario, const ClusterCosts& costs,
                        std::span<const KernelOrigin> kernels, ExpertGroups groups,
                        Result& result);

// Flops that a token needs: two per parameter it uses, without embeddings and scores.
Flops flops_per_token(const ModelShape& model);

// What the GPU, or all GPUs together, can do per second in the dtype of the model's weights.
FlopsPerSecond peak_flops(const GpuSpec& gpu, Dtype weights);
FlopsPerSecond peak_flops(const Cluster& cluster, Dtype weights);

}  // namespace moesim
