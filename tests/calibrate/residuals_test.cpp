// The correction between shapes as a Gaussian process: laws of its covariance and of leaving
// folds out.
#include "calibrate/residuals.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "calibrate/expert_points.hpp"
#include "calibrate/fit_residuals.hpp"
#include "sim/base/rng.hpp"

using namespace moesim;

namespace {

constexpr int kShapes = 5;

ExpertPoint point_of(int shape, double tokens) {
  ExpertShapeCurve curve;
  curve.hidden = 2048 + 1024 * shape;
  curve.intermediate = 512 << (shape % 3);
  curve.experts = 64 << (shape % 2);
  curve.top_k = 8;
  return even_point(curve, tokens, 0);
}

// One curve of every shape, a fold each, `without` left out; residuals are smooth in the shape.
struct Sample {
  ResidualPoints points;
  std::vector<double> residual;
};

Sample sample(int without) {
  Sample out;
  for (int shape = 0; shape < kShapes; ++shape) {
    if (shape == without) continue;
    for (double tokens = 1; tokens <= 4096; tokens *= 2) {
      const Features at = features_of(point_of(shape, tokens), {});
      out.points.at.push_back(at);
      out.points.curve.push_back(out.points.folds);
      out.points.fold.push_back(out.points.folds);
      out.points.judged.push_back(true);
      out.residual.push_back(0.05 * std::sin(at[0]) + 0.02 * at[2] - 0.01 * at[4]);
    }
    ++out.points.folds;
  }
  return out;
}

ResidualField field_of(const Sample& sample, const ResidualWeights& weights) {
  ResidualField field;
  for (std::size_t i = 0; i < weights.size(); ++i) field.add(sample.points.at[i], weights[i]);
  return field;
}

}  // namespace

TEST_CASE("A fold left out by blocks is predicted as if it had never been measured") {
  const Sample all = sample(-1);
  const auto fitted = fit_residuals(all.points, [&](int) { return all.residual; });
  REQUIRE(fitted.size() == kShapes + 1);
  for (int shape = 0; shape < kShapes; ++shape) {
    const Sample rest = sample(shape);
    const auto alone = fit_residuals(rest.points, [&](int) { return rest.residual; });
    const ResidualField by_blocks = field_of(all, fitted[static_cast<std::size_t>(shape)]);
    const ResidualField never = field_of(rest, alone.back());
    for (const double tokens : {1.0, 24.0, 300.0, 4096.0}) {
      const Features at = features_of(point_of(shape, tokens), {});
      CHECK(by_blocks.at(at) == Approx(never.at(at)).margin(1e-9));
    }
  }
}

TEST_CASE("The covariance of two points is symmetric and never above their variances'") {
  Stream stream(1, "points");
  const ResidualMetric& metric = residual_metric();
  for (int i = 0; i < 200; ++i) {
    const auto any = [&] {
      return features_of(point_of(static_cast<int>(stream.below(kShapes)),
                                  std::floor(std::exp2(14 * stream.uniform()))),
                         {});
    };
    const Features a = any(), b = any();
    CHECK(metric.covariance(a, b) == metric.covariance(b, a));
    CHECK(metric.covariance(a, b) <= metric.covariance(a, a));
    CHECK(metric.covariance(a, b) > 0);
  }
}

TEST_CASE("Far from every measurement the roofline is left") {
  const Sample all = sample(-1);
  const ResidualField field =
      field_of(all, fit_residuals(all.points, [&](int) { return all.residual; }).back());
  Features far = all.points.at.front();
  for (double& feature : far) feature += 200;
  CHECK(std::abs(field.at(far)) < 1e-3);
  CHECK(std::abs(field.at(all.points.at.front())) > 1e-2);
}
