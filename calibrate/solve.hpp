// A small dense symmetric positive definite system, by Cholesky, in place.
#pragma once

#include <cmath>
#include <span>

namespace moesim {

// Solves matrix x = right; `matrix` (n x n, row major) and `right` are overwritten, x is in
// `right`. A pivot that vanishes is lifted, which drops its direction.
inline void solve_spd(std::span<double> matrix, std::span<double> right, int size) {
  const auto n = static_cast<std::size_t>(size);
  for (std::size_t j = 0; j < n; ++j) {
    double pivot = matrix[j * n + j];
    for (std::size_t k = 0; k < j; ++k) pivot -= matrix[j * n + k] * matrix[j * n + k];
    pivot = std::sqrt(pivot > 1e-14 ? pivot : 1e14);
    matrix[j * n + j] = pivot;
    for (std::size_t i = j + 1; i < n; ++i) {
      double sum = matrix[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= matrix[i * n + k] * matrix[j * n + k];
      matrix[i * n + j] = sum / pivot;
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) right[i] -= matrix[i * n + k] * right[k];
    right[i] /= matrix[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) right[i] -= matrix[k * n + i] * right[k];
    right[i] /= matrix[i * n + i];
  }
}

}  // namespace moesim
