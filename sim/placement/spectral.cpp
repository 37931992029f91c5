#include "sim/placement/spectral.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace moesim {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

struct Tridiagonal {
  std::vector<double> diagonal;
  std::vector<double> beside;  // beside[i] couples i - 1 and i; beside[0] is 0

  // Eigenvalues below x: negative pivots of T - x (Sturm).
  [[nodiscard]] int below(double x) const {
    int count = 0;
    double pivot = 1;
    for (std::size_t i = 0; i < diagonal.size(); ++i) {
      pivot = diagonal[i] - x - beside[i] * beside[i] / pivot;
      if (pivot == 0) pivot = -1e-300;
      count += pivot < 0;
    }
    return count;
  }

  // All eigenvalues are at most this (Gershgorin).
  [[nodiscard]] double radius() const {
    double most = 0;
    for (std::size_t i = 0; i < diagonal.size(); ++i) {
      const double next = i + 1 < beside.size() ? std::abs(beside[i + 1]) : 0.0;
      most = std::max(most, std::abs(diagonal[i]) + std::abs(beside[i]) + next);
    }
    return most;
  }
};

// Reflects the matrix so that column k is zero below its subdiagonal; returns that element.
double reflect_column(std::vector<double>& a, std::size_t n, std::size_t k) {
  std::vector<double> v(n, 0.0);
  double norm = 0;
  for (std::size_t i = k + 1; i < n; ++i) {
    v[i] = a[i * n + k];
    norm += v[i] * v[i];
  }
  const double rest = norm - v[k + 1] * v[k + 1];
  if (rest == 0) return v[k + 1];
  const double alpha = v[k + 1] > 0 ? -std::sqrt(norm) : std::sqrt(norm);
  v[k + 1] -= alpha;
  const double beta = 2 / (rest + v[k + 1] * v[k + 1]);
  std::vector<double> w(n, 0.0);  // beta A v, less its part along v
  double along = 0;
  for (std::size_t i = k + 1; i < n; ++i) {
    for (std::size_t j = k + 1; j < n; ++j) w[i] += beta * a[i * n + j] * v[j];
    along += beta / 2 * w[i] * v[i];
  }
  for (std::size_t i = k + 1; i < n; ++i) w[i] -= along * v[i];
  for (std::size_t i = k + 1; i < n; ++i) {
    for (std::size_t j = k + 1; j < n; ++j) a[i * n + j] -= v[i] * w[j] + w[i] * v[j];
  }
  return alpha;
}

Tridiagonal tridiagonal(std::vector<double> a, std::size_t n) {
  Tridiagonal t{std::vector<double>(n), std::vector<double>(n, 0.0)};
  for (std::size_t k = 0; k < n; ++k) {
    t.diagonal[k] = a[k * n + k];
    if (k + 1 < n) t.beside[k + 1] = reflect_column(a, n, k);
  }
  return t;
}

}  // namespace

std::vector<double> largest_eigenvalues(std::vector<double> matrix, int n, int count) {
  const Tridiagonal t = tridiagonal(std::move(matrix), z(n));
  const double radius = t.radius();
  std::vector<double> found;
  for (int i = 0; i < count; ++i) {
    double low = -radius;
    double high = found.empty() ? radius : found.back();
    while (high - low > 1e-12 * radius) {
      const double middle = (low + high) / 2;
      (t.below(middle) >= n - i ? high : low) = middle;
    }
    found.push_back(high);
  }
  return found;
}

double nodes_per_token_bound(const TokenView& sample, int experts, int nodes,
                             int experts_per_node) {
  if (sample.tokens() == 0) return 1;
  const double each = 1.0 / static_cast<double>(sample.tokens());
  std::vector<double> together(z(experts) * z(experts), 0.0);
  for (std::size_t token = 0; token < sample.tokens(); ++token) {
    for (const std::uint16_t a : sample.of(token)) {
      for (const std::uint16_t b : sample.of(token)) together[a * z(experts) + b] += each;
    }
  }
  const auto values =
      largest_eigenvalues(std::move(together), experts, std::min(nodes, experts));
  const double most = experts_per_node * std::accumulate(values.begin(), values.end(), 0.0);
  const double k = sample.top_k;
  return std::max({1.0, k / experts_per_node, most > 0 ? k * k / most : 1.0});
}

}  // namespace moesim
