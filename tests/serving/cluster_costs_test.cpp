// Which profile each kind of GPU is priced by.
#include "sim/serving/cluster_costs.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "calibrate/profile.hpp"
#include "calibrate/profile_io.hpp"
#include "calibrate/profiles.hpp"
#include "sim/base/diagnostics.hpp"
#include "sim/serving/measured_exchange.hpp"

using namespace moesim;

namespace {

namespace fs = std::filesystem;

// A node of each.
Cluster nodes_of(const std::vector<std::string>& gpus) {
  ClusterOptions options;
  for (const std::string& gpu : gpus) {
    NodeGroupOptions group;
    group.name = gpu;
    group.gpu.name = gpu;
    group.node.nvlink_bandwidth = BytesPerSecond{450e9};
    group.node.nic_bandwidth = BytesPerSecond{50e9};
    options.groups.push_back(group);
  }
  return build_cluster(options);
}

// A profile file of a user's own: the shipped one of H100, under another engine's name.
class OwnFile {
 public:
  explicit OwnFile(const std::string& engine)
      : folder_(fs::temp_directory_path() / ("moesim_costs_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    Profile profile = *load_profile("h100-sxm/sglang");
    profile.engine = engine;
    profile.exchanges.push_back(
        {engine, "1", "nccl", 8, "uniform", {1024, 1 << 20}, {2e-5, 5e-5}});
    write_profile(path(), profile);
  }
  ~OwnFile() { fs::remove_all(folder_); }
  OwnFile(const OwnFile&) = delete;
  OwnFile& operator=(const OwnFile&) = delete;
  [[nodiscard]] std::string path() const { return (folder_ / "own.toml").string(); }

 private:
  fs::path folder_;
};

std::string complaint(const std::vector<std::string>& gpus, const CalibrationOptions& options) {
  const Cluster cluster = nodes_of(gpus);
  try {
    const ClusterCosts costs(cluster, options);
  } catch (const InputError& error) {
    const Diagnostic& d = error.diagnostics().front();
    return d.message + "; " + d.expected;
  }
  FAIL("nothing was refused");
  return {};
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a chosen expert kernel is the given profile's, and other kinds' only who have it") {
  // unquantizedfusedmoe is vLLM's on H100; no profile of A100 has it. The run once ended there.
  const Cluster cluster = nodes_of({"h100-sxm", "a100-sxm"});
  const ClusterCosts costs(cluster, {"h100-sxm/vllm", "unquantizedfusedmoe"});
  CHECK(costs.of_kind(0).profile() ==
        *with_expert_kernel(*load_profile("h100-sxm/vllm"), "unquantizedfusedmoe"));
  CHECK(costs.of_kind(1).profile() == *load_profile("a100-sxm/vllm"));
  const ClusterCosts both(cluster, {"h100-sxm/sglang", "marlin"});
  CHECK(both.of_kind(1).profile() ==
        *with_expert_kernel(*load_profile("a100-sxm/sglang"), "marlin"));
  // Nor is the given profile let off because another kind has the kernel.
  CHECK(has(complaint({"h100-sxm", "b200-sxm"}, {"h100-sxm/sglang", "cutedsl"}),
            "no expert kernel of profile 'h100-sxm/sglang' has 'cutedsl'"));
}

TEST_CASE("a user's own file serves its own kind and finds the others' by its engine") {
  const OwnFile own("sglang");
  const Cluster cluster = nodes_of({"h100-sxm", "a100-sxm"});
  const ClusterCosts costs(cluster, {own.path(), ""});
  CHECK(costs.profile(0) == own.path());
  CHECK(costs.profile(1) == "a100-sxm/sglang");
  // H800 has none of its own: the user's H100 file is as near as the shipped one, and given.
  const Cluster sisters = nodes_of({"h100-sxm", "h800-sxm", "h200-sxm"});
  const ClusterCosts near(sisters, {own.path(), ""});
  CHECK(near.profile(1) == own.path());
  CHECK(near.profile(2) == "h200-sxm/sglang");
  // Across architectures the nearest shipped one is better than none.
  const Cluster far = nodes_of({"a100-sxm", "h800-sxm"});
  CHECK(ClusterCosts(far, {"a100-sxm/sglang", ""}).profile(1) == "h100-sxm/sglang");
}

TEST_CASE("a user's own file of an unknown engine is refused with the engines that would do") {
  const OwnFile own("mine");
  const std::string said = complaint({"h100-sxm", "a100-sxm"}, {own.path(), ""});
  CHECK(has(said, "no profile serves the cluster's a100-sxm (ampere)"));
  CHECK(has(said, "engine = one of sglang, trtllm, vllm in " + own.path()));
  // Of the same architecture it is moved by the rooflines.
  const Cluster sisters = nodes_of({"h100-sxm", "h200-sxm"});
  CHECK(ClusterCosts(sisters, {own.path(), ""}).profile(1) == own.path());
}

TEST_CASE("each kind says what became of the measured all-to-alls of its profile") {
  const OwnFile own("sglang");
  const Cluster cluster = nodes_of({"h100-sxm", "h800-sxm", "a100-sxm"});
  const ClusterCosts costs(cluster, {own.path(), ""});
  const ExchangeNote measured = exchange_note(costs, GpuId{0}, true);
  CHECK(measured.text == "profile " + own.path() + ": nccl between 8 GPUs");
  CHECK(measured.provenance == Provenance::measured);
  CHECK(measured_exchanges(costs, GpuId{0}).size() == 1);
  // H800 has the same profile, but nothing was exchanged between its GPUs.
  const ExchangeNote moved = exchange_note(costs, GpuId{8}, true);
  CHECK(has(moved.text, "no all-to-all between GPUs of this kind"));
  CHECK(moved.provenance == Provenance::imported);
  CHECK(measured_exchanges(costs, GpuId{8}).empty());
  CHECK(exchange_note(costs, GpuId{16}, true).text.empty());  // a shipped profile
  CHECK(has(exchange_note(costs, GpuId{0}, false).text, "serving.transport = nccl"));
}
