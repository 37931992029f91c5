// Measured expert points: table rows turned into what the models are fitted to.
#pragma once

#include <string>
#include <vector>

#include "calibrate/devices.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/residuals.hpp"
#include "calibrate/table.hpp"

namespace moesim {

// One timing of a whole MoE op (align, gate/up, activation, down, weighted sum) on one GPU.
struct ExpertRow {
  KernelKey key;
  bool gated = true;
  std::string distribution;  // "balanced", "power_law_1.01", ...
  std::string flag;
  double tokens = 0;  // that enter the op
  int hidden = 0;
  int intermediate = 0;  // the whole expert's
  int experts = 0;       // of the layer
  int top_k = 0;
  int slices = 1;    // tensor parallelism
  int parallel = 1;  // expert parallelism
  double seconds = 0;
  Place place;
  int most_active = 0;     // see ExpertShapeCurve
  double active = 0;       // experts with a token, where the table says so
  double most_loaded = 0;  // assignments of the busiest expert, likewise
};

// The work of one even-load point on one GPU.
struct ExpertPoint {
  double assignments = 0;
  double active = 0;
  double hidden = 0;
  double intermediate = 0;
  double experts = 0;
  double top_k = 1;
  double seconds = 0;
};

// The row's shape on one GPU, without times.
ExpertShapeCurve shape_of(const ExpertRow& row);

// Share of the experts that an even load could reach which the curve's timings did.
double reached_share(const ExpertShapeCurve& curve);

// An even load: top_k experts per token, as many active as there are assignments.
ExpertPoint even_point(const ExpertShapeCurve& curve, double tokens, double seconds);
RooflineWork work_of(const ExpertPoint& point, Dtype dtype, bool gated);
Features features_of(const ExpertPoint& point, const TunedShapes& tuned);

// All rows of a `moe_*` table for one GPU; damaged cells (no number, negative or zero time) are
// collected and thrown as InputError.
std::vector<ExpertRow> read_expert_rows(const Table& table, const std::string& gpu);

// Why a row cannot be true: it moves its weights above the memory's peak, or computes above the
// tensor cores' peak. Empty where it can. Weights in the L2 cache are not counted; nor are
// those of uneven rows, whose active experts are not known.
std::string impossible(const ExpertRow& row, const Device& device);

// Does the row's flag say that it measures what it claims, or what else it does? Even rows
// "DSV3_GROUPED_TOPK_HALF_ACTIVE" do: their `most_active` is half of the experts.
bool usable_flag(const ExpertRow& row);

Dtype table_dtype(std::string_view name, const Place& place);

}  // namespace moesim
