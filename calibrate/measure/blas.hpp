// Single-precision matrix products on the CPU: OpenBLAS where it is found at run time, else
// plain loops.
#pragma once

#include <memory>
#include <string>

namespace moesim {

class Blas {
 public:
  virtual ~Blas() = default;
  [[nodiscard]] virtual std::string name() const = 0;  // "openblas", "loops"
  // y[m,n] = x[m,k] w[n,k]^T, row-major.
  virtual void multiply(int m, int n, int k, const float* x, const float* w, float* y) = 0;
};

// libopenblas.so.0, or the file at $MOESIM_OPENBLAS; null where neither loads.
std::unique_ptr<Blas> open_openblas();
std::unique_ptr<Blas> plain_loops();

}  // namespace moesim
