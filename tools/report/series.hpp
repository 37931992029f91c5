// What the report draws beyond result.json: curves and maps that the simulator fills and the
// page shows. Every member may be empty; its chart is then left out.
//
// Times are seconds of simulated time, counted like the requests' arrivals. A value that was
// not observed is NaN ("no data", never zero).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/units.hpp"

namespace moesim {

// One side of a Grid: `size` cells, either named by `labels` (then labels.size() == size) or
// numbered; cell i starts at `start + i * step` in `unit`.
struct GridAxis {
  std::string name;  // "GPU", "layer", "time"
  std::string unit;  // "s" for time, empty for counts
  std::size_t size = 0;
  double start = 0;
  double step = 1;
  std::vector<std::string> labels;
};

// A heat map or a table of numbers. `values` is [rows.size * columns.size], row after row.
struct Grid {
  GridAxis rows;
  GridAxis columns;
  std::string value;  // what a cell holds: "utilization"
  std::string unit;   // "ratio", "s", "bytes", "tokens"
  std::vector<double> values;

  [[nodiscard]] bool empty() const { return values.empty(); }
  double& at(std::size_t row, std::size_t column) {
    return values[row * columns.size + column];
  }
  [[nodiscard]] double at(std::size_t row, std::size_t column) const {
    return values[row * columns.size + column];
  }
};

// One quantity over time; sample i is the mean over [start + i*bin, start + (i+1)*bin).
//
// Names the page knows and puts into its charts (others are drawn under "Other series"):
//   queue, running                               requests waiting and in a batch
//   batch_tokens                                 tokens per step
//   input_tokens_per_s, output_tokens_per_s
//   gpu_utilization                              ratio, mean over GPUs
//   kv_used                                      ratio of the KV blocks
//   balancedness, router_entropy, overflow_rate  ratios
struct Track {
  std::string name;
  std::string label;  // "Requests waiting"; the name if empty
  std::string unit;
  Seconds start{0};
  Seconds bin{1};
  std::vector<double> values;
};

// Something that happened, drawn as a line (until == at) or a band over the time charts.
struct Mark {
  Seconds at{0};
  Seconds until{0};
  std::string kind;  // "rebalance", "fault", "surge", "scale"
  std::string text;  // "node5.nic1 at 25 %"
};

// The distribution of one request metric as quantiles: `values[i]` is the quantile `levels[i]`,
// both ascending. `cdf_of` makes one.
struct Cdf {
  std::string name;    // "ttft", "tpot", "e2el"; a tenant's is "ttft"
  std::string tenant;  // empty: all tenants
  std::string unit = "s";
  std::vector<double> levels;
  std::vector<double> values;
};

// Where each expert's weights lie and how much they are used. One entry per (layer, GPU, slot).
struct PlacementMap {
  std::vector<int> layers;  // the model's layer numbers shown; a subset is fine
  std::size_t gpus = 0;
  std::size_t gpus_per_node = 8;
  std::size_t slots = 0;     // per GPU
  std::vector<int> expert;   // [layers * gpus * slots]; -1: the slot is empty
  std::vector<double> load;  // same shape; share of the layer's tokens over the mean share
  std::size_t experts = 0;   // experts per layer
};

struct ReportSeries {
  // Where one step's time goes, mean seconds per step; rows: layers in order, then "other" for
  // what belongs to no layer (sampling, host); columns: phases in drawing order, e.g.
  // attention, dense, dispatch, expert, straggler, combine, host.
  Grid phases_step;
  Grid phases_prefill;  // steps that hold prefill tokens
  Grid phases_decode;   // steps that hold none

  std::vector<Cdf> cdfs;
  Grid gpu_time;      // GPU x time -> utilization, ratio
  Grid expert_layer;  // expert x layer -> load relative to the layer's mean, ratio; 0 is dead
  Grid gpu_layer;     // GPU x layer -> expert load relative to the layer's mean, ratio
  Grid link_time;     // link x time -> utilization, ratio; the busiest links
  Grid node_traffic;  // source node x destination node -> bytes over the whole run
  std::vector<Track> tracks;
  std::vector<Mark> marks;
  PlacementMap placement;
};

// How cells are joined when a grid is made smaller: the mean, the largest or the sum.
enum class Join { mean, max, sum };

// At most `rows` x `columns` cells, neighbours joined; NaN cells are left out of a mean and a
// maximum. An axis joined n to one keeps its first label and counts on in steps of n.
Grid bin_grid(const Grid& grid, std::size_t rows, std::size_t columns, Join join);

// At most `points` samples, neighbours averaged; NaN samples are left out.
Track bin_track(const Track& track, std::size_t points);

// Quantiles 0 .. 1 of `values` (any order) evenly spaced to .9, then even in log10(1 - level)
// to .9999, where p99 lives, and 1. Quantile p is the linear interpolation between order
// statistics at (n - 1) p.
Cdf cdf_of(std::string_view name, std::vector<double> values, std::size_t points = 160);

// The series as JSON for the page and for DIR/series.json: binned to what a screen shows (256
// rows, 512 of experts, 180 columns, 720 samples), four significant digits, same input same
// bytes. Throws BrokenLaw when a grid's values do not fill its axes.
std::string series_json(const ReportSeries& series);

}  // namespace moesim
