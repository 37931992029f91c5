// Measured times of one-node collectives over message size. NCCL is not alpha-beta: its
// protocol changes with size, so the curve itself is kept and read log-log.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/base/units.hpp"

namespace moesim {

// Bytes as nccl-tests counts them: the buffer for all_reduce, the gathered whole for
// all_gather, the whole to be reduced for reduce_scatter, what one rank sends for alltoall.
struct CollectiveCurve {
  friend bool operator==(const CollectiveCurve&, const CollectiveCurve&) = default;

  std::string system;   // "h200_sxm"
  std::string library;  // "nccl", "custom"
  std::string op;       // all_reduce, all_gather, reduce_scatter, alltoall
  int ranks = 0;
  std::vector<double> bytes;  // ascending
  std::vector<double> seconds;
};

// Log-log between points; the first time below the first point; beyond the last point
// proportional to bytes.
Seconds read_curve(const CollectiveCurve& curve, Bytes bytes);

// The shipped curves of a GPU ("h200-sxm") or of the nearest one that was measured; empty where
// nothing is near. `system` of the first curve says which it is.
std::vector<CollectiveCurve> find_curves(std::string_view gpu);
// Of the curves of one library and op, that with the fewest ranks >= `ranks`, else the most;
// null when there is none.
const CollectiveCurve* curve_for(const std::vector<CollectiveCurve>& curves,
                                 std::string_view library, std::string_view op, int ranks);

// One line per point: system,library,op,ranks,bytes,seconds. Throws WorldError, InputError.
std::vector<CollectiveCurve> read_curves(const std::string& path);
std::string write_curves(const std::vector<CollectiveCurve>& curves);

}  // namespace moesim
