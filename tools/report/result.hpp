// Everything that a run found out, as one plain value: result.json is this struct, field by
// field, and every report is made from it. Base units; shares and ratios are bare doubles.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/base/provenance.hpp"
#include "sim/base/units.hpp"
#include "sim/metrics/blame_report.hpp"
#include "sim/metrics/summary.hpp"
#include "tools/report/training_result.hpp"

namespace moesim {

inline constexpr int kResultSchemaVersion = 1;

// Where one kind of number came from.
struct ProvenanceNote {
  std::string what;  // "expert kernels"
  Provenance provenance = Provenance::assumed;
  std::string source;         // "h200-sxm/sglang", a file, a paper
  double relative_error = 0;  // known from held-out points (median); 0: unknown
};

struct UtilizationResult {
  double gpu = 0;                        // share of time that GPUs work, mean over GPUs
  double expert_compute = 0;             // ... on routed experts
  double links = 0;                      // mean over NICs of bytes moved / bytes possible
  double achieved_flops = 0;             // share of the peak at the weights' dtype
  std::optional<double> dense_baseline;  // the same of the dense model compared with
};

struct BalanceResult {
  double balancedness = 1;        // mean over layers and steps of mean / max GPU load
  double worst_balancedness = 1;  // of a layer, mean over steps
  double router_entropy = 1;      // mean over layers, share of log(experts)
  double overflow_rate = 0;       // assignments over capacity
  double dropped_token_rate = 0;  // tokens that lost at least one expert
  double dead_experts = 0;        // share of experts that got no token
  double lower_bound = 0;         // of max / mean GPU load, over all placements
  double gap = 0;                 // 1 / balancedness against it, - 1
  double balance_loss = 1;        // auxiliary loss N sum f P (2101.03961, eq. 4); 1 when even
  double active_experts = 1;      // share of a layer's experts with a token, mean over steps
  double router_mass_lost = 0;  // choices displaced by balance pressure and dropout, or dropped
};

// Bytes on the fullest GPU.
struct MemoryResult {
  Bytes gpu{0};
  Bytes weights{0};
  Bytes kv_cache{0};  // set aside
  Bytes kv_peak{0};   // used at most
  Bytes buffers{0};
};

struct CostResult {
  double gpu_hours = 0;
  Dollars total{0};
  Dollars per_million_output_tokens{0};
  Dollars per_million_tokens{0};
  Joules energy{0};
  Joules energy_per_token{0};  // per output token
};

// gpus[i] is GpuId(i).
struct GpuResult {
  std::string name;  // "node3.gpu5"
  int node = 0;
  int instance = 0;
  double utilization = 0;
  Seconds attention{0};
  Seconds dense{0};
  Seconds expert{0};
  Seconds network{0};
  Seconds host{0};
  Seconds waiting{0};      // for slower GPUs and for work
  double load = 1;         // routed tokens over the mean of its instance
  double expert_tokens{};  // token-expert assignments computed
  Bytes memory{0};
};

// links[i] is LinkId(i).
struct LinkResult {
  std::string name;  // "node3.nic5 -> leaf5"
  std::string kind;  // "nvlink", "nic", "leaf_spine"
  BytesPerSecond bandwidth{0};
  Bytes bytes{0};
  double utilization = 0;   // of the whole run
  BytesPerSecond busbw{0};  // while collectives ran: comparable with `bandwidth`
};

struct ExpertResult {
  int layer = 0;
  int expert = 0;
  int replicas = 1;
  std::string gpus;   // names or numbers of the GPUs that hold it, space separated
  double tokens = 0;  // assigned to it
  double load = 1;    // over the mean of its layer
  double share = 0;   // of the layer's tokens x top_k
  Flops flops{0};     // spent on its tokens
};

struct LayerResult {
  int layer = 0;
  double balancedness = 1;
  double entropy = 1;
  double overflow_rate = 0;
  int dead_experts = 0;
  double hottest_load = 1;  // most loaded expert over the mean
  double tokens = 0;        // routed, each top_k times
  double cv = 0;            // of the experts' tokens: std / mean
  double gini = 0;
  int hot_experts = 0;        // more than four times the mean
  double active_experts = 0;  // with at least one token, mean over the steps
  double balance_loss = 1;
  double router_mass_lost = 0;
  Seconds dispatch{0};  // per step, mean
  Seconds expert{0};
  Seconds combine{0};
};

// A layer in a window of the run.
struct LoadWindowResult {
  Seconds begin{0};
  Seconds end{0};
  std::int64_t steps = 0;
  int layer = 0;
  double tokens = 0;
  double hottest_load = 1;
  int hottest_expert = 0;
  double cv = 0;
  double gini = 0;
  double entropy = 1;
  int active_experts = 0;
  int dead_experts = 0;
  int hot_experts = 0;
};

// A layer as the tokens of one tenant see it.
struct TenantLoadResult {
  std::string tenant;
  std::string domain;
  int layer = 0;
  double tokens = 0;
  double hottest_load = 1;
  int hottest_expert = 0;
  double cv = 0;
  double entropy = 1;
  double apart = 0;  // total variation from the whole layer's shares
};

struct Result {
  std::string version;   // of moesim
  std::string scenario;  // its name
  std::uint64_t seed = 0;
  int replications = 1;
  bool partial = false;  // interrupted: what had finished
  std::string model;
  std::string cluster;  // "8 x hgx-h200"
  int gpu_count = 0;
  std::int64_t steps = 0;
  std::vector<ProvenanceNote> provenance;
  Summary summary;
  UtilizationResult utilization;
  BalanceResult balance;
  MemoryResult memory;
  CostResult cost;
  std::optional<TrainingResult> training;  // of a training run, which has no requests
  std::vector<GpuResult> gpus;
  std::vector<LinkResult> links;
  std::vector<ExpertResult> experts;           // experts.csv only
  std::vector<LayerResult> layers;             // layers.csv only
  std::vector<LoadWindowResult> load_windows;  // load_windows.csv only
  std::vector<TenantLoadResult> tenant_loads;  // tenant_loads.csv only
  std::vector<BlameReport> blame;              // of the slowest 1 %: e2el, ttft, tpot
  std::vector<BlameReport> phases;             // of all requests, the same
  std::vector<std::string> notes;              // for the reader: small samples, bounds reached
};

// The name of a GPU or link of the result, "gpu7" or "link7" where it lists none.
std::string gpu_name(const Result& result, GpuId gpu);
std::string link_name(const Result& result, LinkId link);
// Null when there are none.
const GpuResult* busiest_gpu(const Result& result);
const LinkResult* busiest_link(const Result& result);

}  // namespace moesim
