// load.csv: how many tokens each expert got, step by step, as real engines record it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

// What the reader of a trace knows about the model. 0: take it from the trace.
struct TraceShape {
  int layers = 0;
  int experts = 0;
  int top_k = 0;
};

struct LoadTrace {
  int layers = 0;
  int experts = 0;
  std::vector<long> steps;               // their numbers, ascending
  std::vector<std::vector<int>> counts;  // per step: layers x experts, summed over sources

  friend bool operator==(const LoadTrace&, const LoadTrace&) = default;
};

// Reads `step,layer,expert,count[,source]`, one header line, `#` comments, any row order;
// a (layer, expert) without a row has no tokens. Layers and experts count from 0. Throws
// InputError with line and reason of every fault (20 at most): wrong or missing columns, text
// that is no number, negative counts, duplicate rows, unknown layers or experts, layers that
// are missing from a step or whose tokens differ, a cut-off last line, a damaged gzip file.
LoadTrace read_load_trace(const std::filesystem::path& path, const TraceShape& shape);

// The same format.
void write_load_trace(const std::filesystem::path& path, const LoadTrace& trace);

}  // namespace moesim
