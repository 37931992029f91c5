// Variants of one scenario side by side. All of them ran with the same seeds (common random
// numbers), so a figure's difference is judged pair by pair: Student's t over the paired
// differences (Law, "Simulation Modeling and Analysis", 2015, section 10.2.1).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/registry.hpp"
#include "sim/metrics/intervals.hpp"
#include "tools/fleet/figures.hpp"

namespace moesim {

struct Compared {
  double mean = 0;   // over the replications; NaN where a run has no such value
  double ratio = 1;  // of the means, to the first variant's
  // Of the ratio: 1 + (interval of the mean paired difference) / (the first's mean). Absent
  // with fewer than two replications, or a first mean of zero.
  std::optional<Interval> interval;
  // The paired differences' interval leaves out zero.
  bool real = false;
};

struct ComparisonRow {
  const Figure* figure = nullptr;
  std::vector<Compared> variants;  // the first is what the others are compared to
};

struct Comparison {
  std::string scenario;
  std::string keys;                 // "placement.strategy"
  std::vector<std::string> labels;  // of the variants
  int replications = 0;
  std::vector<ComparisonRow> rows;  // in the catalog's order
  bool partial = false;             // interrupted: the seeds that every variant has finished
};

// values[variant][replication][figure], the same number of replications for all.
std::vector<ComparisonRow> compare(const std::vector<std::vector<std::vector<double>>>& values);

// One sentence per variant after the first: what is really better, really worse, or not told
// apart.
std::vector<std::string> verdicts(const Comparison& comparison);

using RenderComparison = std::string (*)(const Comparison&);
std::span<const Entry<RenderComparison>> comparison_formats();  // table, json, csv, markdown

}  // namespace moesim
