// Contradictions between keys: each names both, with their places.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "calibrate/profile.hpp"
#include "calibrate/profile_io.hpp"
#include "calibrate/profiles.hpp"
#include "tests/scenario/support.hpp"

using namespace moesim;
using namespace moesim::tests;

namespace {

// The fault that names all `keys`.
Diagnostic told(const std::vector<std::string>& set, const std::vector<std::string>& keys) {
  const auto all = faults_of(kStart + "[serving]\nmax_batch = 16\n", set);
  std::string messages;
  for (const Diagnostic& d : all) {
    messages += d.message + "\n";
    const auto names = [&](const std::string& key) {
      return d.message.find(key + ": ") != std::string::npos;
    };
    if (std::all_of(keys.begin(), keys.end(), names)) return d;
  }
  FAIL("told only:\n" << messages);
  return {};
}

void is_error(const std::vector<std::string>& set, const std::vector<std::string>& keys) {
  CHECK(told(set, keys).severity == Severity::error);
}

void is_warning(const std::vector<std::string>& set, const std::vector<std::string>& keys) {
  CHECK(told(set, keys).severity == Severity::warning);
}

}  // namespace

TEST_CASE("the plain scenario holds no contradiction") {
  CHECK(faults_of(kStart + "[serving]\nmax_batch = 16\n").empty());
}

TEST_CASE("experts: top_k <= experts, groups divide them, and hold enough of them") {
  is_error({"model.top_k=257"}, {"model.top_k", "model.experts"});
  is_error({"model.expert_groups=7"}, {"model.expert_groups", "model.experts"});
  is_error({"model.top_groups=9"}, {"model.top_groups", "model.expert_groups"});
  is_error({"model.top_k=40", "model.top_groups=1"}, {"model.top_k", "model.top_groups"});
  is_error({"router.top_k=200"}, {"router.top_k", "model.experts"});
}

TEST_CASE("an indexer has a width and keys to keep, and belongs to latent attention") {
  is_error({"model.attention.index_heads=8"},
           {"model.attention.index_dim", "model.attention.index_heads"});
  is_error({"model.attention.index_heads=8", "model.attention.index_dim=128"},
           {"model.attention.index_top_k", "model.attention.index_heads"});
  is_error({"model.preset=mixtral-8x7b", "model.attention.index_heads=8"},
           {"model.attention.index_heads", "model.attention.kind"});
}

TEST_CASE("GPUs = instances x dp x tp, and the EP group divides an instance") {
  is_error({"serving.instances=3"}, {"serving.instances", "cluster.nodes"});
  is_error({"serving.tp=3"}, {"serving.tp", "cluster.nodes"});
  is_error({"serving.dp=5"}, {"serving.dp", "serving.tp", "cluster.nodes"});
  is_error({"serving.ep=48"}, {"serving.ep", "serving.tp"});
  is_error({"cluster.nodes=1000000"}, {"cluster.nodes", "cluster.node.gpus"});
  CHECK(faults_of(kStart + "[serving]\nmax_batch = 16\n", {"serving.dp=64", "serving.ep=64"})
            .empty());
}

TEST_CASE("pipeline stages divide an instance, have layers, and lie alike over the nodes") {
  is_error({"serving.pp=3"}, {"serving.pp", "cluster.nodes"});
  is_error({"serving.pp=64", "model.layers=60"}, {"serving.pp", "model.layers"});
  is_error({"serving.pp=2", "serving.tp=64"}, {"serving.tp", "cluster.nodes"});
  is_error({"serving.pp=2", "serving.dp=64"}, {"serving.dp", "serving.tp"});
  is_error({"serving.pp=2", "serving.ep=64"}, {"serving.ep", "serving.tp"});
  is_error({"cluster.nodes=3", "serving.pp=2"}, {"serving.pp", "cluster.node.gpus"});
  is_error({"serving.mode=disaggregated", "serving.decode.pp=64"},
           {"serving.prefill.nodes", "serving.mode"});
  CHECK(faults_of(kStart + "[serving]\nmax_batch = 16\n",
                  {"serving.pp=2", "placement.rebalance.every_steps=100"})
            .empty());
}

TEST_CASE("attention heads divide over tp; ranks that span nodes are warned of") {
  is_error({"model.attention.heads=100", "serving.tp=8"},
           {"serving.tp", "model.attention.heads"});
  is_warning({"serving.tp=16"}, {"serving.tp", "cluster.node.gpus"});
}

TEST_CASE("redundant experts that leave GPUs unevenly filled are rounded up, with a warning") {
  is_warning({"placement.redundant_experts=32"},
             {"placement.redundant_experts", "model.experts", "serving.ep"});
  CHECK(read_well(kStart, {"placement.redundant_experts=32"}).placement.redundant_experts ==
        64);
  CHECK(read_well(kStart, {"placement.redundant_experts=64"}).placement.redundant_experts ==
        64);
}

TEST_CASE("weights and KV cache fit, counting every expert of the rank, or the room is told") {
  // 671e9 parameters in bf16 over 8 x 141 GB: no.
  is_error({"cluster.nodes=1", "model.weights=bf16"},
           {"model.weights", "cluster.gpu.memory", "cluster.nodes"});
  // Redundant experts count: 40 more slots of 44 MB in 58 layers do not fit beside the rest.
  is_error({"cluster.nodes=1", "placement.redundant_experts=320"}, {"cluster.gpu.memory"});
  is_error({"traffic.input_tokens.mean=4000000", "traffic.input_tokens.max=5000000"},
           {"cluster.gpu.memory", "traffic.input_tokens.mean"});
  is_warning({"serving.max_batch=4096", "serving.max_tokens_per_step=8192"},
             {"serving.max_batch", "cluster.gpu.memory"});
}

TEST_CASE("a step takes at least one token of every running request") {
  is_error({"serving.max_tokens_per_step=8"},
           {"serving.max_tokens_per_step", "serving.max_batch"});
}

TEST_CASE("a GPU computes in formats it has; what it has is told") {
  const Diagnostic d = told({"cluster.preset=hgx-a100"}, {"model.weights", "cluster.gpu.name"});
  CHECK(d.severity == Severity::error);
  CHECK(d.expected == "model.weights = one of fp32 bf16 int8 int4 mxfp4 w4a8");
  is_error({"model.weights=fp4"}, {"model.weights", "cluster.gpu.name"});
}

TEST_CASE("nodes are joined by something") {
  is_error({"cluster.node.nics=0"}, {"cluster.node.nics", "cluster.nodes"});
  is_error({"cluster.node.nvlink_bandwidth=0"},
           {"cluster.node.nvlink_bandwidth", "cluster.node.pcie_bandwidth"});
}

TEST_CASE("lengths, tenants, surges and promises make sense") {
  is_error({"traffic.input_tokens.min=10", "traffic.input_tokens.max=5"},
           {"traffic.input_tokens.min", "traffic.input_tokens.max"});
  is_error({"traffic.output_tokens.mean=200000"}, {"traffic.output_tokens.mean"});
  is_error({"traffic.input_tokens.distribution=lognormal"},
           {"traffic.input_tokens.cv", "traffic.input_tokens.distribution"});
  is_error({"traffic.input_tokens.distribution=empirical"}, {"traffic.input_tokens.file"});
  is_error({"traffic.arrivals.process=trace"}, {"traffic.arrivals.file"});
  is_error({"traffic.tenant[0].share=0"}, {"traffic.tenant[0].share"});
  is_error({"traffic.tenant[0].name=a", "traffic.tenant[1].name=a"},
           {"traffic.tenant[1].name", "traffic.tenant[0].name"});
  is_error({"traffic.tenant[0].surge.times=3"},
           {"traffic.tenant[0].surge.lasts", "traffic.tenant[0].surge.times"});
  is_warning({"slo.ttft_p90=2", "slo.ttft_p99=1"}, {"slo.ttft_p90", "slo.ttft_p99"});
}

TEST_CASE(
    "policies have what they need, faults and scalings hit what exists, profiles fit the GPU") {
  is_error({"router.capacity_factor=1.2"}, {"router.capacity_factor", "router.overflow"});
  is_warning({"router.overflow=drop"}, {"router.overflow", "router.capacity_factor"});
  is_error({"fault[0].target=node8"}, {"fault[0].target", "cluster.nodes"});
  is_error({"fault[0].target=gpu64"}, {"fault[0].target", "cluster.nodes"});
  is_error({"fault[0].target=node1.nic8"}, {"fault[0].target", "cluster.node.nics"});
  is_error({"scale[0].instance=1"}, {"scale[0].instance", "serving.instances"});
  is_error({"scale[0].instance=2", "serving.mode=disaggregated"},
           {"scale[0].instance", "serving.decode.instances"});
  is_warning({"calibration.profile=b200-sxm/sglang"},
             {"calibration.profile", "cluster.gpu.name"});
}

TEST_CASE("in a mixed cluster every kind that no profile of its own serves is named") {
  const auto groups = [](const std::string& profile) {
    return faults_of(
        "[model]\npreset = \"mixtral-8x7b\"\n[cluster]\nfabric = \"rail_optimized\"\n"
        "[[cluster.group]]\npreset = \"hgx-h100\"\nnodes = 1\n"
        "[[cluster.group]]\npreset = \"hgx-a100\"\nnodes = 1\n[calibration]\nprofile = \"" +
        profile + "\"\n");
  };
  const auto warnings = [&](const std::string& profile) {
    std::vector<std::string> names;
    for (const Diagnostic& d : groups(profile)) {
      if (d.message.find("was measured on") != std::string::npos) names.push_back(d.message);
    }
    return names;
  };
  CHECK(warnings("h100-sxm/vllm").empty());
  CHECK(warnings("l40s/vllm").empty());  // serves none: each kind has its own
  // A user's own file is asked for its GPU and engine, as a run does.
  const auto path = std::filesystem::temp_directory_path() / "moesim_validate_test.toml";
  Profile own = *load_profile("h100-sxm/sglang");
  own.engine = "mine";
  write_profile(path, own);
  const auto told = groups(path.string());
  CHECK(std::ranges::count_if(told, [](const Diagnostic& d) {
          return d.severity == Severity::error &&
                 d.message.find("no profile serves the cluster's a100-sxm") !=
                     std::string::npos;
        }) == 1);
  own.engine = "sglang";
  write_profile(path, own);
  CHECK(warnings(path.string()).empty());
  std::filesystem::remove(path);
}

TEST_CASE("the pools' nodes are the cluster's") {
  is_error({"serving.mode=disaggregated", "serving.prefill.nodes=2", "serving.decode.nodes=5"},
           {"serving.prefill.nodes", "serving.decode.nodes"});
  is_error({"serving.mode=disaggregated", "serving.prefill.nodes=8"},
           {"serving.prefill.nodes"});
}
