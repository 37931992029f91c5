// Times of one attention kernel at any batch, length and heads: a roofline times what
// measurements of the same or of the nearest heads leave unexplained.
#pragma once

#include <vector>

#include "calibrate/devices.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/ratio_grid.hpp"

namespace moesim {

// The heads of one attention kernel on one GPU.
struct HeadConfig {
  int heads = 0;
  int kv_heads = 0;  // 0: MLA
  int head_dim = 0;  // 0: MLA
  int window = 0;    // 0: full

  friend auto operator<=>(const HeadConfig&, const HeadConfig&) = default;
};

// Work of one kernel. Scores and values: 4 x heads x head_dim flops per (query, key) pair (MLA
// in decode: 2 x heads x (2 x 512 + 64), in prefill 2 x heads x (128 + 64 + 128)); the cache is
// read once.
RooflineWork attention_work(AttentionOp op, const HeadConfig& config, Dtype kv_cache,
                            double batch, double tokens);

// A section made ready for one head configuration: the ratios measured for it; else, of as many
// KV heads as wide, those of the next fewer and the next more heads, by the logarithm of their
// count; else those of the nearest configuration.
class AttentionModel {
 public:
  AttentionModel(const AttentionSection& section, const HeadConfig& config,
                 const Device& device);
  [[nodiscard]] double predict(double batch, double tokens) const;
  [[nodiscard]] bool exact() const { return exact_; }

 private:
  struct Source {
    RatioGrid grid;
    double part;  // all sum to 1
  };
  [[nodiscard]] double roofline(const HeadConfig& config, double batch, double tokens) const;
  void add(const AttentionCurveData& curve, double part);

  AttentionOp op_;
  HeadConfig config_;
  Dtype kv_cache_;
  Roofline fit_;
  double peak_flops_;
  double peak_bandwidth_;
  bool exact_ = false;
  std::vector<Source> sources_;
};

HeadConfig config_of(const AttentionCurveData& curve);

}  // namespace moesim
