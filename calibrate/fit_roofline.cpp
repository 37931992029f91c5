#include "calibrate/fit_roofline.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "calibrate/solve.hpp"

namespace moesim {

namespace {

constexpr int kCount = 6;
using Vector = std::array<double, kCount>;

// Logarithms of: t0 in us, compute, bandwidth, m_half, p - 1, activation bandwidth.
const Vector kLow{std::log(0.5),  std::log(0.1),  std::log(0.2),
                  std::log(0.01), std::log(0.02), std::log(0.05)};
const Vector kHigh{std::log(200.0), std::log(1.3),  std::log(1.3),
                   std::log(500.0), std::log(20.0), std::log(5.0)};
const Vector kStart{std::log(20.0), std::log(0.6), std::log(0.85),
                    std::log(20.0), std::log(1.5), std::log(0.6)};
constexpr double kScale = 0.03;  // residuals above 3 % count linearly
constexpr int kIterations = 60;

Roofline to_roofline(const Vector& x) {
  return {std::exp(x[0]) * 1e-6, std::exp(x[1]),     std::exp(x[2]),
          std::exp(x[3]),        1 + std::exp(x[4]), std::exp(x[5])};
}

struct Problem {
  const std::vector<RooflinePoint>& points;
  double peak_flops;
  double peak_bandwidth;

  // log(model / measured) of every point.
  [[nodiscard]] std::vector<double> residuals(const Vector& x) const {
    const Roofline fit = to_roofline(x);
    std::vector<double> out;
    out.reserve(points.size());
    for (const RooflinePoint& point : points) {
      out.push_back(
          std::log(roofline_time(fit, point.work, peak_flops, peak_bandwidth) / point.seconds));
    }
    return out;
  }
};

double loss(const std::vector<double>& residuals) {
  double sum = 0;
  for (const double r : residuals) {
    sum += 2 * (std::sqrt(1 + r * r / (kScale * kScale)) - 1);
  }
  return sum;
}

Vector clamp(Vector x) {
  for (std::size_t i = 0; i < kCount; ++i) x[i] = std::clamp(x[i], kLow[i], kHigh[i]);
  return x;
}

// Normal equations with the soft-L1 weights 1 / sqrt(1 + (r/s)^2).
struct Normal {
  std::array<double, kCount * kCount> matrix{};
  Vector gradient{};
};

Normal normal_equations(const Problem& problem, const Vector& x,
                        const std::vector<double>& residuals) {
  constexpr double kStep = 1e-5;
  std::array<std::vector<double>, kCount> slopes;
  for (std::size_t j = 0; j < kCount; ++j) {
    Vector moved = x;
    const double step = x[j] + kStep > kHigh[j] ? -kStep : kStep;
    moved[j] += step;
    slopes[j] = problem.residuals(moved);
    for (std::size_t i = 0; i < residuals.size(); ++i) {
      slopes[j][i] = (slopes[j][i] - residuals[i]) / step;
    }
  }
  Normal out;
  for (std::size_t i = 0; i < residuals.size(); ++i) {
    const double weight = 1 / std::sqrt(1 + residuals[i] * residuals[i] / (kScale * kScale));
    for (std::size_t j = 0; j < kCount; ++j) {
      out.gradient[j] += weight * slopes[j][i] * residuals[i];
      for (std::size_t k = 0; k < kCount; ++k) {
        out.matrix[j * kCount + k] += weight * slopes[j][i] * slopes[k][i];
      }
    }
  }
  return out;
}

}  // namespace

Roofline fit_roofline(const std::vector<RooflinePoint>& points, double peak_flops,
                      double peak_bandwidth) {
  if (points.size() < kCount) return to_roofline(kStart);
  const Problem problem{points, peak_flops, peak_bandwidth};
  Vector x = kStart;
  std::vector<double> residuals = problem.residuals(x);
  double best = loss(residuals);
  double damping = 1e-2;
  for (int i = 0; i < kIterations && damping < 1e8; ++i) {
    const Normal normal = normal_equations(problem, x, residuals);
    bool better = false;
    while (!better && damping < 1e8) {
      auto matrix = normal.matrix;
      for (std::size_t j = 0; j < kCount; ++j) {
        matrix[j * kCount + j] += damping * (matrix[j * kCount + j] + 1e-9);
      }
      Vector step = normal.gradient;
      solve_spd(matrix, step, kCount);
      Vector next = x;
      for (std::size_t j = 0; j < kCount; ++j) next[j] -= step[j];
      next = clamp(next);
      const std::vector<double> tried = problem.residuals(next);
      const double value = loss(tried);
      better = value < best * (1 - 1e-9);
      if (better) {
        x = next;
        residuals = tried;
        best = value;
        damping = std::max(damping / 5, 1e-9);
      } else {
        damping *= 4;
      }
    }
  }
  return to_roofline(x);
}

}  // namespace moesim
