// Dense GEMM sections of a profile from table rows.
#pragma once

#include <string>
#include <vector>

#include "calibrate/devices.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/ratio_grid.hpp"
#include "calibrate/table.hpp"

namespace moesim {

struct GemmRow {
  KernelKey key;
  double m = 0, n = 0, k = 0;
  double seconds = 0;
  Place place;
  bool held_out = false;  // measured off the grid to judge the fit: never fitted
};

std::vector<GemmRow> read_gemm_rows(const Table& table, const std::string& gpu);

// Why a row cannot be true; empty where it can.
std::string impossible(const GemmRow& row, const Device& device);

// One section per kernel key: roofline over all rows, then a thinned grid of its residuals with
// knots on both sides of the tile steps (64|65, 128|129, ...). The rows between the knots are
// the held-out points.
std::vector<GemmSection> fit_gemm_sections(const std::vector<GemmRow>& rows,
                                           const Device& device);

// A section made ready to be asked at any (m, n, k).
class GemmModel {
 public:
  GemmModel(const GemmSection& section, const Device& device);
  [[nodiscard]] double predict(double m, double n, double k) const;
  [[nodiscard]] double roofline(double m, double n, double k) const;

 private:
  Dtype dtype_;
  Roofline fit_;
  double peak_flops_;
  double peak_bandwidth_;
  RatioGrid grid_;
};

}  // namespace moesim
