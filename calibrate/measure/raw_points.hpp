// Raw points as CSV files, one per family, in the column layout of the published kernel tables
// (latency in ms) with the conditions of each point behind, so that `calibrate fit` reads both.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "calibrate/measure/measure.hpp"

namespace moesim {

struct RawTable {
  std::string file;  // "gemm_h200_sxm.csv"
  std::string text;
};

// gemm_, moe_, generation_attention_, memory_kernels_, all_to_all_, energy_ and
// not_measured_<system>.csv: those that have rows. Rows in the order of measurement.
std::vector<RawTable> raw_tables(const Measurement& measurement, const DeviceFacts& facts,
                                 std::uint64_t seed);

// Writes them into `folder`, which is made; each file whole or not at all. Returns the paths.
// Throws WorldError.
std::vector<std::filesystem::path> write_raw_tables(const std::vector<RawTable>& tables,
                                                    const std::filesystem::path& folder);

}  // namespace moesim
