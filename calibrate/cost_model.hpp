// How long the kernels of one GPU and engine take: the cost model that the simulator asks.
//
// Each kernel is prepared once for its shape (slow: searches the profile) and then evaluated
// at a load (fast: a table lookup of some tens of nanoseconds, no allocation). Prepared curves
// are values that outlive the profile. All times are for one GPU and one layer.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/devices.hpp"
#include "calibrate/profiles.hpp"
#include "sim/base/dtype.hpp"
#include "sim/base/provenance.hpp"
#include "sim/base/units.hpp"

namespace moesim {

struct Profile;

// `error` is the relative error to expect of `time`: the median of |predicted / measured - 1|
// over points held out of the fit, by section of the profile.
struct Estimate {
  Seconds time{0};
  Provenance provenance = Provenance::assumed;
  double error = 0;
};

// Routed experts of one layer as one GPU holds them.
struct ExpertShape {
  int hidden = 0;
  int intermediate = 0;  // per GPU: the expert's width / its tensor parallelism
  int experts = 0;       // on this GPU, replicas counted
  int top_k = 1;
  Dtype dtype = Dtype::bf16;
  bool gated = true;  // three matrices; else two
  int parallel = 1;   // GPUs that share the layer's experts; engines then use other kernels

  friend bool operator==(const ExpertShape&, const ExpertShape&) = default;
};

// One layer's work for the experts of one GPU. `assignments` are (token, expert) pairs.
struct ExpertLoad {
  double assignments = 0;
  double active = 0;       // experts with at least one token
  double most_loaded = 0;  // assignments of the busiest expert; 0: even
};

// Heads of one attention layer as one GPU of a tensor-parallel rank holds them.
struct AttentionConfig {
  enum class Kind { gqa, mla, linear };
  Kind kind = Kind::gqa;
  int heads = 0;         // on this GPU
  int kv_heads = 0;      // on this GPU; gqa and linear
  int head_dim = 128;    // gqa and linear
  int window = 0;        // gqa: tokens; 0: full
  int kv_lora_rank = 0;  // mla
  int rope_dim = 0;      // mla
  int nope_dim = 0;      // mla
  int v_dim = 0;         // mla
  Dtype kv_cache = Dtype::bf16;
  Dtype compute = Dtype::bf16;

  friend bool operator==(const AttentionConfig&, const AttentionConfig&) = default;
};

// A table over one or two logarithmic axes, interpolated in the logarithm (see log_grid.hpp).
class LogGrid;

// What a curve knows about itself: where its values come from and how wrong they may be.
struct CurveOrigin {
  Provenance provenance = Provenance::assumed;
  double error = 0;
  std::string note;  // "interpolated from hidden 7168, intermediate 2048"; for reports
};

class ExpertCurve {
 public:
  ExpertCurve(std::shared_ptr<const LogGrid> grid, std::shared_ptr<const LogGrid> skew,
              double experts, CurveOrigin origin);
  // Zero assignments take no time.
  [[nodiscard]] Seconds time(const ExpertLoad& load) const;
  [[nodiscard]] Estimate estimate(const ExpertLoad& load) const;
  [[nodiscard]] const CurveOrigin& origin() const { return origin_; }

 private:
  std::shared_ptr<const LogGrid> grid_;  // seconds over (rows per expert, active experts)
  std::shared_ptr<const LogGrid> skew_;  // factor over (tokens per expert, most loaded / mean)
  double experts_ = 0;
  CurveOrigin origin_;
};

class GemmCurve {
 public:
  GemmCurve(std::shared_ptr<const LogGrid> grid, CurveOrigin origin);
  // m rows times the prepared n x k weights.
  [[nodiscard]] Seconds time(double m) const;
  [[nodiscard]] Estimate estimate(double m) const;
  [[nodiscard]] const CurveOrigin& origin() const { return origin_; }

 private:
  std::shared_ptr<const LogGrid> grid_;
  CurveOrigin origin_;
};

// Attention proper: scores, softmax, values (MLA: with the two absorbing batched GEMMs in
// decode). Projections are GEMMs of their own.
class AttentionCurve {
 public:
  AttentionCurve(std::shared_ptr<const LogGrid> decode, std::shared_ptr<const LogGrid> prefill,
                 double window, CurveOrigin origin);
  // One new token for each of `batch` sequences, `mean_kv` tokens of cache each.
  [[nodiscard]] Seconds decode(double batch, double mean_kv) const;
  // A chunk of `tokens` new tokens of one prompt after `context` tokens that are in the cache.
  // Rule for chunks with context, which no table has: the time of a whole prompt with as many
  // (query, key) pairs, and at least that of reading the cache once.
  [[nodiscard]] Seconds prefill(double tokens, double context) const;
  // `chunks` of the same size at once, of as many prompts.
  [[nodiscard]] Seconds prefill(double chunks, double tokens, double context) const;
  [[nodiscard]] const CurveOrigin& origin() const { return origin_; }

 private:
  std::shared_ptr<const LogGrid> decode_;  // seconds over (batch, KV tokens)
  std::shared_ptr<const LogGrid>
      prefill_;  // seconds over (new tokens, all tokens / new tokens)
  double window_ = 0;
  CurveOrigin origin_;
};

// May a profile of one kernel generation stand in for another's GPU?
enum class Generations { same_only, any };

class CostModel {
 public:
  explicit CostModel(std::shared_ptr<const Profile> profile);
  // For another GPU than the profile's: its times are multiplied by the ratio of the rooflines,
  // and the origins say so. Throws InputError for an unknown GPU, and across architectures
  // unless `generations` is any.
  CostModel(std::shared_ptr<const Profile> profile, std::string_view gpu,
            Generations generations = Generations::same_only);

  [[nodiscard]] ExpertCurve experts(const ExpertShape& shape) const;
  [[nodiscard]] GemmCurve gemm(double n, double k, Dtype dtype) const;
  [[nodiscard]] AttentionCurve attention(const AttentionConfig& config) const;
  // One memory-bound kernel that moves so many bytes: norms, rotary, permute, weighted sum.
  [[nodiscard]] Seconds memory_bound(Bytes moved) const;
  // Dot products in fp8 at the share of the peak that the profile's fp8 GEMMs reach.
  [[nodiscard]] Seconds fp8_dots(Flops flops) const;
  // Router of one layer: tokens x hidden -> scores, top-k.
  [[nodiscard]] Seconds router(double tokens, int hidden, int experts) const;
  // RMSNorm with the residual add.
  [[nodiscard]] Seconds norm(double tokens, int hidden) const;
  // Pack or unpack (permute, quantize) so many rows for an all-to-all.
  [[nodiscard]] Seconds permute(double rows, double row_bytes) const;
  // Rows of the embedding table.
  [[nodiscard]] Seconds embedding(double tokens, int hidden) const;
  // Softmax and sampling over a vocabulary, per sequence.
  [[nodiscard]] Seconds sampling(double sequences, int vocab) const;
  // Host time per step that no kernel hides: scheduling, launch of the graph, detokenizing.
  [[nodiscard]] Estimate step_overhead(double sequences) const;

  [[nodiscard]] const Profile& profile() const { return *profile_; }
  // Empty, or the warning that a moved profile deserves.
  [[nodiscard]] const std::string& warning() const { return warning_; }

 private:
  void add_transfer(CurveOrigin& origin) const;

  std::shared_ptr<const Profile> profile_;
  Device measured_;  // the profile's GPU
  Device target_;    // the one asked about
  std::string warning_;
};

}  // namespace moesim
