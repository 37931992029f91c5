// Attention sections of a profile from table rows: decode, prefill, MLA and its absorbing
// batched GEMMs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "calibrate/devices.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/ratio_grid.hpp"
#include "calibrate/table.hpp"

namespace moesim {

// The heads of one attention kernel on one GPU.
struct HeadConfig {
  int heads = 0;
  int kv_heads = 0;  // 0: MLA
  int head_dim = 0;  // 0: MLA
  int window = 0;    // 0: full

  friend auto operator<=>(const HeadConfig&, const HeadConfig&) = default;
};

struct AttentionRow {
  AttentionOp op = AttentionOp::decode;
  KernelKey key;
  HeadConfig config;
  double batch = 0;
  double tokens = 0;  // decode: in the cache; prefill: new ones
  double seconds = 0;
  Place place;
};

bool is_attention_table(const Table& table);
// The row's layout tells its op: a step counts cached tokens (decode), none is a prefill.
std::vector<AttentionRow> read_attention_rows(const Table& table, const std::string& gpu);

// Work of one kernel. Scores and values: 4 x heads x head_dim flops per (query, key) pair (MLA
// in decode: 2 x heads x (2 x 512 + 64), in prefill 2 x heads x (128 + 64 + 128)); the cache is
// read once.
RooflineWork attention_work(AttentionOp op, const HeadConfig& config, Dtype kv_cache,
                            double batch, double tokens);

std::vector<AttentionSection> fit_attention_sections(const std::vector<AttentionRow>& rows,
                                                     const Device& device);

// A section made ready for one head configuration: measured ratios of it or of the nearest one.
class AttentionModel {
 public:
  AttentionModel(const AttentionSection& section, const HeadConfig& config,
                 const Device& device);
  [[nodiscard]] double predict(double batch, double tokens) const;
  [[nodiscard]] bool exact() const { return exact_; }

 private:
  AttentionOp op_;
  HeadConfig config_;
  Dtype kv_cache_;
  Roofline fit_;
  double peak_flops_;
  double peak_bandwidth_;
  bool exact_ = false;
  std::unique_ptr<RatioGrid> grid_;
};

}  // namespace moesim
