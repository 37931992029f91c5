// The memory-bound kernels of a profile (copies, permutes, norms, launches) from the raw points
// of `moesim calibrate`.
#pragma once

#include <string>
#include <vector>

#include "calibrate/devices.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/table.hpp"

namespace moesim {

struct MemoryRow {
  std::string op;  // "copy", "rmsnorm", "graph_node", ...
  double bytes = 0;
  double seconds = 0;
  Place place;
};

bool is_memory_table(const Table& table);
std::vector<MemoryRow> read_memory_rows(const Table& table, const std::string& gpu);

// time = launch + bytes / (bandwidth * peak). launch: the median of the short kernels, which
// move less than a tenth of what the peak would; bandwidth: the median share of the peak,
// launch taken off, over kernels that move more than four times the L2 cache, rows above the
// peak left out; error: the median relative error over every row. Nothing changes where rows
// lack. What an empty kernel costs inside a graph and on a stream is kept beside it.
void fit_memory(const std::vector<MemoryRow>& rows, const Device& device, Profile& profile);

}  // namespace moesim
