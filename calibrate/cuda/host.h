// Number formats on the host, for the checks.
#pragma once

#include <cstdint>
#include <vector>

#include "calibrate/cuda/session.h"

namespace moesim_cuda {

// `count` elements of device memory as doubles.
std::vector<double> download_numbers(Session& session, const void* from, std::size_t count,
                                     Format format);

// What storing x in the format and reading it back gives.
double rounded(double x, Format format);

// Follows the largest difference and the scale of the expected values.
class Comparison {
 public:
  void add(double got, double expected);
  // Largest difference / largest expected magnitude; infinite where a value is not a number.
  [[nodiscard]] double error() const;

 private:
  double difference_ = 0;
  double scale_ = 0;
};

}  // namespace moesim_cuda
