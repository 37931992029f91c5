// A kernel profile: what is known of the kernel times of one GPU type under one engine, and
// how wrong it is. Plain values; profile_io.hpp reads and writes them, fit.hpp makes them from
// tables, cost_model.hpp answers from them.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/held_out.hpp"
#include "calibrate/roofline.hpp"
#include "sim/base/dtype.hpp"
#include "sim/base/provenance.hpp"
#include "sim/base/units.hpp"

namespace moesim {

inline constexpr int kProfileSchema = 3;

// Sections with different keys are never merged: a version alone moves kernels by 4-21 %.
struct KernelKey {
  std::string engine;   // "sglang"
  std::string version;  // "0.5.14"
  std::string kernel;   // as the engine names it: "sglang_fused_moe_triton"
  Dtype dtype = Dtype::bf16;

  friend bool operator==(const KernelKey&, const KernelKey&) = default;
};

// A curve's weights are kept in thousandths.
inline constexpr double kWeightUnits = 1000;

// What a curve says: of other shapes too; of its own alone (another version's, or its benchmark
// did something else than the others); nothing, as its kernel ran untuned (shared_tactics.hpp).
enum class Standing { informs, alone, untuned };
inline constexpr const char* kStandingNames[] = {"", "alone", "untuned"};

// One measured shape: seconds over the tokens that enter the operator, each taking top_k
// experts of which `share` (1 / expert parallelism) are on this GPU; loads are even.
struct ExpertShapeCurve {
  int hidden = 0;
  int intermediate = 0;  // on this GPU
  int experts = 0;       // on this GPU
  int top_k = 0;
  int parallel = 1;  // expert parallelism
  int slices = 1;    // tensor parallelism that `intermediate` comes from
  // Experts that had work where an even load gives some to all of them; 0: all. Few assignments
  // reach the same share of the experts that they could.
  int most_active = 0;
  Standing standing = Standing::informs;
  std::string version;  // where another than the section's
  std::vector<double> tokens;
  std::vector<double> seconds;
  // Per point, its part in the correction for other shapes (residuals.hpp); empty: none.
  std::vector<double> weights;

  friend bool operator==(const ExpertShapeCurve&, const ExpertShapeCurve&) = default;
};

// What uneven experts cost: time / time of an even load with as many active experts.
struct SkewPoint {
  double tokens_per_expert = 0;
  double imbalance = 1;  // skew_imbalance
  double factor = 1;

  friend bool operator==(const SkewPoint&, const SkewPoint&) = default;
};

// Most loaded expert / mean, both in tiles: up to the smallest tile's rows an expert costs the
// reading of its weights, however the rows are spread.
inline constexpr double kSmallestTile = 16;
inline double skew_imbalance(double tokens_per_expert, double most_loaded) {
  const double mean = tokens_per_expert > kSmallestTile ? tokens_per_expert : kSmallestTile;
  return most_loaded > mean ? most_loaded / mean : 1;
}

// Experts on a GPU, and their width there, for which an engine ships tuned block sizes.
using TunedShapes = std::set<std::pair<int, int>>;

struct ExpertSection {
  KernelKey key;
  bool gated = true;
  TunedShapes tuned;
  Roofline roofline;
  std::string metric;  // of residuals.hpp; empty: the roofline alone
  std::vector<ExpertShapeCurve> curves;
  std::vector<SkewPoint> skew;
  HeldOut shapes_left_out;
  HeldOut all_left_out;  // the same, judged by curves that inform no others too
  HeldOut points_left_out;

  friend bool operator==(const ExpertSection&, const ExpertSection&) = default;
};

// Seconds on a full grid of three axes (dense GEMM: m, n, k).
struct GemmSection {
  KernelKey key;
  Roofline roofline;
  std::vector<double> m, n, k;
  std::vector<double> seconds;  // [m][n][k]; NaN where not measured
  HeldOut points_left_out;

  bool operator==(const GemmSection& other) const;
};

// One head configuration: seconds over (batch, tokens). Decode: tokens in the cache per
// sequence. Prefill: new tokens per sequence, nothing before them.
struct AttentionCurveData {
  int heads = 0;
  int kv_heads = 0;  // 0: MLA
  int head_dim = 0;
  int window = 0;
  std::vector<double> batch, tokens;
  std::vector<double> seconds;  // [batch][tokens]; NaN where not measured

  bool operator==(const AttentionCurveData& other) const;
};

enum class AttentionOp { decode, prefill, mla_decode, mla_prefill, mla_bmm };
inline constexpr const char* kAttentionOpNames[] = {"decode", "prefill", "mla_decode",
                                                    "mla_prefill", "mla_bmm"};

struct AttentionSection {
  AttentionOp op = AttentionOp::decode;
  KernelKey key;  // dtype: of the KV cache
  Roofline roofline;
  std::vector<AttentionCurveData> curves;
  HeldOut points_left_out;

  friend bool operator==(const AttentionSection&, const AttentionSection&) = default;
};

// Numbers that no table gives; each says where it comes from.
struct HostOverhead {
  Seconds per_step{0};
  Seconds per_sequence{0};
  Seconds per_layer{0};         // between a layer's kernels, and kernels too small for tables
  Seconds per_prompt_token{0};  // prompts run without graphs: launches, copies, sampling setup
  Seconds per_request{0};       // client to scheduler and back, once: HTTP, tokenizer
  // Of a prompt, once per layer, beside the GPU's time: prompts run without graphs, kernel by
  // kernel. Layers of latent attention (MLA) launch about three times as many.
  Seconds per_request_layer{0};
  Provenance provenance = Provenance::assumed;
  double error = 0.5;

  friend bool operator==(const HostOverhead&, const HostOverhead&) = default;
};

struct MemoryKernels {
  Seconds launch{2e-6};      // one small kernel inside a graph
  double bandwidth = 0.75;   // share of the peak reached by streaming kernels
  Seconds graph_node{0};     // an empty kernel inside a graph; 0: not measured
  Seconds stream_launch{0};  // an empty kernel launched on a stream; 0: not measured
  Provenance provenance = Provenance::assumed;
  double error = 0.3;

  friend bool operator==(const MemoryKernels&, const MemoryKernels&) = default;
};

// All-to-all of one library between GPUs of one machine: seconds over bytes that a rank sends.
struct ExchangeCurve {
  std::string engine, version, kernel;
  int ranks = 0;
  std::string pattern;  // "uniform", "incast", "pairs", "skewed"
  std::vector<double> bytes, seconds;

  friend bool operator==(const ExchangeCurve&, const ExchangeCurve&) = default;
};

// One operation run for seconds on end.
struct EnergyPoint {
  std::string kernel, operation;
  double seconds = 0;  // per run
  double joules = 0;   // per run
  double watts = 0;    // over the loop

  friend bool operator==(const EnergyPoint&, const EnergyPoint&) = default;
};

struct Profile {
  int schema = kProfileSchema;
  std::string gpu;     // key of devices.hpp
  std::string engine;  // "sglang", "vllm", "trtllm"
  Provenance provenance = Provenance::imported;
  std::vector<std::string> sources;  // table, commit, licence
  std::vector<std::string> notes;    // what was borrowed, rejected, assumed
  HostOverhead host;
  MemoryKernels memory;
  std::vector<ExpertSection> experts;
  std::vector<GemmSection> gemms;
  std::vector<AttentionSection> attention;
  std::vector<ExchangeCurve> exchanges;  // of a measurement; published tables are in network/
  std::vector<EnergyPoint> energy;       // of a measurement

  bool operator==(const Profile&) const = default;
};

}  // namespace moesim
