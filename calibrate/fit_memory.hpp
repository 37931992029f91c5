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

// launch: the median of the short kernels, whose bytes take less than a tenth of their time;
// bandwidth: the median share of the peak over kernels that move more than four times the L2
// cache; error: the median relative error of launch + bytes / bandwidth over every row. Rows
// above the peak are left out. Nothing changes where there are no rows.
void fit_memory(const std::vector<MemoryRow>& rows, const Device& device, Profile& profile);

}  // namespace moesim
