// From options to the experts' side of an instance: slots, ranks, router shape, first
// placement.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sim/base/ids.hpp"
#include "sim/model/shape.hpp"
#include "sim/placement/options.hpp"
#include "sim/placement/placement.hpp"
#include "sim/router/router.hpp"
#include "sim/serving/memory.hpp"
#include "sim/serving/parallelism.hpp"
#include "sim/workload/options.hpp"
#include "topology/cluster.hpp"

namespace moesim {

// Slots per layer over the EP group: experts and redundant ones. Throws InputError where they
// do not divide over the expert ranks. 0 for a dense model.
int expert_slots(const ModelShape& model, const PlacementOptions& placement,
                 const Parallelism& parallel);

// [MoE layers] the stage of `stages` that holds each.
std::vector<int> stages_of_moe_layers(const ModelShape& model, int stages);

// The GPUs that stand for the expert ranks of the stage that begins at `first` (of a shared
// expert, its first GPU).
std::vector<GpuId> expert_ranks(const Parallelism& parallel, GpuId first);

RouterShape router_shape(const ModelShape& model, const RouterOptions& router);

// Distinct domains of the tenants, and each tenant's index among them.
std::pair<std::vector<std::string>, std::vector<int>> domains_of(
    const std::vector<TenantOptions>& tenants);

// [ranks] speed of each rank's GPU against that of GPU 0, by memory bandwidth, which bounds
// experts in decode; empty where all are alike.
std::vector<double> expert_speeds(const Cluster& cluster, std::span<const GpuId> ranks);

// Placed on the load of past traffic: options.training_tokens drawn from the router. `speed`
// as above.
Placement first_placement(Router& router, const PlacementOptions& options, int slots, int nodes,
                          int ranks, std::vector<double> speed = {});

// Throws InputError that says what needs how much.
void require_fits(const MemoryPlan& plan, const ModelShape& model);

}  // namespace moesim
