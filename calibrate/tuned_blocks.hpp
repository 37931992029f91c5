// For which experts an engine ships tuned block sizes of its fused Triton kernel. Where it has
// none it takes default ones, up to twice as slow.
#pragma once

#include <string>
#include <vector>

#include "calibrate/profile.hpp"
#include "calibrate/table.hpp"

namespace moesim {

struct TunedBlocks {
  KernelKey key;         // of any version
  int experts = 0;       // on one GPU
  int intermediate = 0;  // there
};

// Is it such a list? Its columns are those of expert times, without tokens and times.
bool is_tuned_blocks_table(const Table& table);

// The lines for one GPU; damaged cells are collected and thrown as InputError.
std::vector<TunedBlocks> read_tuned_blocks(const Table& table, const std::string& gpu);

// Those of one engine's kernel and format.
TunedShapes tuned_shapes(const std::vector<TunedBlocks>& all, const KernelKey& key);

}  // namespace moesim
