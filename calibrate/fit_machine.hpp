// What a measurement says of the machine beside its kernels: collectives between its GPUs and
// the energy of operations, as `moesim calibrate` writes them (measure/raw_points.cpp).
#pragma once

#include <string>
#include <vector>

#include "calibrate/profile.hpp"
#include "calibrate/table.hpp"

namespace moesim {

bool is_all_to_all_table(const Table& table);
bool is_energy_table(const Table& table);

// Points of one library, number of ranks and pattern as one curve over bytes, the median where
// a size was timed more than once. Damaged cells are collected and thrown as InputError.
std::vector<ExchangeCurve> read_all_to_all(const Table& table, const std::string& gpu);

// Rows without joules (NVML absent) are passed over.
std::vector<EnergyPoint> read_energy(const Table& table, const std::string& gpu);

}  // namespace moesim
