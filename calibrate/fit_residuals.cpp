#include "calibrate/fit_residuals.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <map>

#include "calibrate/held_out.hpp"

namespace moesim {

namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
using Indices = std::vector<Eigen::Index>;

// A curve that its neighbours miss by more than this (median, e^.4 = 1.5) ran by another
// tactic; at most a quarter of the curves are taken for such.
constexpr double kStray = 0.4;

// The search for strays flatters itself on the folds that it looks at: leaving them out must
// lower their error to this share. Where an autotuner fell back it does so to a third.
constexpr double kWorthIt = 0.8;

Matrix covariance(const ResidualMetric& metric, const ResidualPoints& points) {
  const auto size = static_cast<Eigen::Index>(points.at.size());
  Matrix out(size, size);
  for (Eigen::Index i = 0; i < size; ++i) {
    const auto a = static_cast<std::size_t>(i);
    for (Eigen::Index j = 0; j <= i; ++j) {
      const auto b = static_cast<std::size_t>(j);
      double value = metric.covariance(points.at[a], points.at[b]);
      if (points.curve[a] == points.curve[b]) {
        value += metric.curve_covariance(points.at[a], points.at[b]);
      }
      out(i, j) = out(j, i) = value;
    }
    out(i, i) += metric.noise * metric.noise;
  }
  return out;
}

// All points at once. Leaving a set U out needs no new inverse: with P = K^-1, the
// points of U are missed by (P_UU)^-1 (P y)_U (Rasmussen and Williams 2006, 5.4.2 by blocks).
class Solved {
 public:
  Solved(const ResidualMetric& metric, const ResidualPoints& points)
      : inverse_(covariance(metric, points)
                     .llt()
                     .solve(Matrix::Identity(static_cast<Eigen::Index>(points.at.size()),
                                             static_cast<Eigen::Index>(points.at.size())))) {}

  // K^-1 y of all points.
  [[nodiscard]] Vector weights(const Vector& y) const { return inverse_ * y; }

  // y - prediction at the points `out`, fitted without them. `weights` are those of all points.
  [[nodiscard]] Vector misses(const Indices& out, const Vector& weights) const {
    return inverse_(out, out).llt().solve(weights(out));
  }
  // The weights fitted without `out`; there zero.
  [[nodiscard]] Vector weights_without(const Indices& out, const Vector& weights) const {
    Vector left = weights - inverse_(Eigen::all, out) * misses(out, weights);
    left(out).setZero();
    return left;
  }

 private:
  Matrix inverse_;
};

// What is asked of all metrics: who belongs to which fold and curve.
class Folds {
 public:
  explicit Folds(const ResidualPoints& points) : points_(points) {
    fold_.resize(static_cast<std::size_t>(points.folds));
    for (std::size_t i = 0; i < points.at.size(); ++i) {
      fold_[static_cast<std::size_t>(points.fold[i])].push_back(static_cast<Eigen::Index>(i));
      curve_[points.curve[i]].push_back(static_cast<Eigen::Index>(i));
    }
  }

  [[nodiscard]] int count() const { return points_.folds; }
  [[nodiscard]] std::size_t curves() const { return curve_.size(); }
  [[nodiscard]] bool judged(Eigen::Index i) const {
    return points_.judged[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] int curve_of(Eigen::Index i) const {
    return points_.curve[static_cast<std::size_t>(i)];
  }

  // Points of a fold and of curves, each once, in order.
  [[nodiscard]] Indices points_of(int fold, const std::vector<int>& curves) const {
    Indices all = fold < 0 ? Indices{} : fold_[static_cast<std::size_t>(fold)];
    for (const int curve : curves) {
      const Indices& own = curve_.at(curve);
      all.insert(all.end(), own.begin(), own.end());
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }
  [[nodiscard]] const Indices& fold(int fold) const {
    return fold_[static_cast<std::size_t>(fold)];
  }

 private:
  const ResidualPoints& points_;
  std::vector<Indices> fold_;
  std::map<int, Indices> curve_;
};

Indices united(const Indices& a, const Indices& b) {
  Indices all;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(all));
  return all;
}

// Calls f(point, miss) for every point of every fold but `without`, each fold left out in turn
// besides `out`.
template <class F>
void each_miss(const Solved& solved, const Folds& folds, const Vector& weights, int without,
               const Indices& out, F&& f) {
  for (int inner = 0; inner < folds.count(); ++inner) {
    if (inner == without) continue;
    const Indices all = united(out, folds.fold(inner));
    const Vector miss = solved.misses(all, weights);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Indices& own = folds.fold(inner);
      if (std::binary_search(own.begin(), own.end(), all[i])) {
        f(all[i], miss[static_cast<Eigen::Index>(i)]);
      }
    }
  }
}

// Curves that their neighbours of other folds miss, the worst first: without them others may
// agree again.
std::vector<int> find_strays(const Solved& solved, const Folds& folds, const Vector& weights,
                             int without) {
  std::vector<int> strays;
  while (strays.size() < folds.curves() / 4) {
    std::map<int, std::vector<double>> misses;
    each_miss(solved, folds, weights, without, folds.points_of(without, strays),
              [&](Eigen::Index i, double miss) { misses[folds.curve_of(i)].push_back(miss); });
    std::vector<std::pair<double, int>> worst;
    for (auto& [curve, all] : misses) {
      const double by = std::abs(quantile(std::move(all), 0.5));
      const bool known = std::find(strays.begin(), strays.end(), curve) != strays.end();
      if (by > kStray && !known) worst.emplace_back(-by, curve);
    }
    if (worst.empty()) break;
    std::sort(worst.begin(), worst.end());
    const double least = 0.6 * worst.front().first;
    for (const auto& [by, curve] : worst) {
      if (by <= least && strays.size() < folds.curves() / 4) strays.push_back(curve);
    }
  }
  return strays;
}

// Below 1 where both bars of a profile are met.
double score(std::vector<double> errors) {
  const double median = quantile(errors, 0.5);
  return median / 0.02 + quantile(std::move(errors), 0.9) / 0.10;
}

// The error of the folds but `without`, each left out in turn besides `out`.
double inner_score(const Solved& solved, const Folds& folds, const Vector& weights, int without,
                   const Indices& out) {
  std::vector<double> errors;
  each_miss(solved, folds, weights, without, out, [&](Eigen::Index i, double miss) {
    if (folds.judged(i)) errors.push_back(std::abs(std::expm1(-miss)));
  });
  return score(std::move(errors));
}

}  // namespace

std::vector<ResidualWeights> fit_residuals(const ResidualPoints& points,
                                           const ResidualsWithout& residuals) {
  const Folds folds(points);
  const Solved solved(residual_metric(), points);
  std::vector<ResidualWeights> fitted;
  for (int i = 0; i <= folds.count(); ++i) {
    const int without = i < folds.count() ? i : -1;
    const std::vector<double> values = residuals(without);
    const Vector y =
        Eigen::Map<const Vector>(values.data(), static_cast<Eigen::Index>(values.size()));
    const Vector weights = solved.weights(y);
    const std::vector<int> strays = find_strays(solved, folds, weights, without);
    Indices out = folds.points_of(without, {});
    if (!strays.empty()) {
      Indices fewer = folds.points_of(without, strays);
      if (inner_score(solved, folds, weights, without, fewer) <
          kWorthIt * inner_score(solved, folds, weights, without, out)) {
        out = std::move(fewer);
      }
    }
    const Vector kept = solved.weights_without(out, weights);
    fitted.emplace_back(kept.begin(), kept.end());
  }
  return fitted;
}

}  // namespace moesim
