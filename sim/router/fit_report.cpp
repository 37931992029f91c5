#include "sim/router/fit_report.hpp"

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <limits>

namespace moesim {

namespace {

// A joint distribution of two experts, not normalised.
class Pairs {
 public:
  explicit Pairs(int experts) : n_(static_cast<std::size_t>(experts)), joint_(n_ * n_, 0.0) {}

  void add(std::size_t a, std::size_t b, double weight) { joint_[a * n_ + b] += weight; }

  // I = sum p(a, b) log(p(a, b) / (p(a) p(b)))
  [[nodiscard]] double information() const {
    std::vector<double> first(n_);
    std::vector<double> second(n_);
    double total = 0;
    for (std::size_t i = 0; i < joint_.size(); ++i) {
      first[i / n_] += joint_[i];
      second[i % n_] += joint_[i];
      total += joint_[i];
    }
    double information = 0;
    for (std::size_t i = 0; i < joint_.size(); ++i) {
      if (joint_[i] <= 0) continue;
      information +=
          joint_[i] / total * std::log(joint_[i] * total / (first[i / n_] * second[i % n_]));
    }
    return information;
  }

 private:
  std::size_t n_;
  std::vector<double> joint_;
};

enum class Same { no, layer };

// Pairs of experts of a token in two layers; `shift` pairs a token with one further on.
double data_information(const TokenTrace& trace, int a, int b, std::size_t shift, Same same) {
  Pairs pairs(trace.experts);
  const std::size_t rows = trace.rows(a);
  for (std::size_t row = 0; row < rows; ++row) {
    for (const int x : trace.of(a, row)) {
      for (const int y : trace.of(b, (row + shift) % rows)) {
        if (same == Same::layer && x == y) continue;
        pairs.add(static_cast<std::size_t>(x), static_cast<std::size_t>(y),
                  trace.weight[static_cast<std::size_t>(a)][row]);
      }
    }
  }
  return pairs.information();
}

enum class Classes { apart, mixed };

double fit_information(const FittedRouter& fit, int a, int b, Same same, Classes classes) {
  const auto n = static_cast<std::size_t>(fit.experts);
  Pairs pairs(fit.experts);
  std::vector<double> mean_a(n);
  std::vector<double> mean_b(n);
  const auto add = [&](std::span<const double> x, std::span<const double> y, double weight) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        if (same == Same::no || i != j) pairs.add(i, j, weight * x[i] * y[j]);
      }
    }
  };
  for (int c = 0; c < fit.classes(); ++c) {
    const double share = fit.class_share[static_cast<std::size_t>(c)];
    const auto x = fit.pi_of(a, c);
    const auto y = fit.pi_of(b, c);
    if (classes == Classes::apart) add(x, y, share);
    for (std::size_t e = 0; e < n; ++e) {
      mean_a[e] += share * x[e];
      mean_b[e] += share * y[e];
    }
  }
  if (classes == Classes::mixed) add(mean_a, mean_b, 1);
  return pairs.information();
}

double marginal_error(const FittedRouter& fit, const std::vector<double>& data) {
  const auto n = static_cast<std::size_t>(fit.experts);
  double error = 0;
  double total = 0;
  for (std::size_t cell = 0; cell < data.size(); ++cell) {
    double pi = 0;
    for (int c = 0; c < fit.classes(); ++c) {
      pi += fit.class_share[static_cast<std::size_t>(c)] *
            fit.pi_of(static_cast<int>(cell / n), c)[cell % n];
    }
    error += std::abs(pi - data[cell]);
    total += data[cell];
  }
  return error / total;
}

FittedRouter one_class(const FittedRouter& fit) {
  FittedRouter one{
      .layers = fit.layers, .experts = fit.experts, .top_k = fit.top_k, .class_share = {1}};
  const auto n = static_cast<std::size_t>(fit.experts);
  one.pi.assign(static_cast<std::size_t>(fit.layers) * n, 0.0);
  for (int layer = 0; layer < fit.layers; ++layer) {
    for (int c = 0; c < fit.classes(); ++c) {
      for (std::size_t e = 0; e < n; ++e) {
        one.pi[static_cast<std::size_t>(layer) * n + e] +=
            fit.class_share[static_cast<std::size_t>(c)] * fit.pi_of(layer, c)[e];
      }
    }
  }
  return one;
}

}  // namespace

FitReport judge(const FittedRouter& fit, const TokenTrace& held_out) {
  FitReport report;
  report.marginal_error = marginal_error(fit, inclusion_of(held_out));
  if (!held_out.joined) {
    report.log_likelihood = report.independent = std::numeric_limits<double>::quiet_NaN();
    return report;
  }
  report.log_likelihood = log_likelihood(fit, held_out);
  report.independent = log_likelihood(one_class(fit), held_out);
  const std::size_t shift = held_out.rows(0) / 2 + 1;
  for (int layer = 0; layer < fit.layers; ++layer) {
    report.coactivation.data += (data_information(held_out, layer, layer, 0, Same::layer) -
                                 data_information(held_out, layer, layer, shift, Same::layer)) /
                                fit.layers;
    report.coactivation.fit +=
        (fit_information(fit, layer, layer, Same::layer, Classes::apart) -
         fit_information(fit, layer, layer, Same::layer, Classes::mixed)) /
        fit.layers;
    if (layer + 1 == fit.layers) continue;
    const int pairs = fit.layers - 1;
    report.interlayer.data += (data_information(held_out, layer, layer + 1, 0, Same::no) -
                               data_information(held_out, layer, layer + 1, shift, Same::no)) /
                              pairs;
    report.interlayer.fit +=
        fit_information(fit, layer, layer + 1, Same::no, Classes::apart) / pairs;
  }
  return report;
}

std::string to_text(const FitReport& r) {
  if (std::isnan(r.log_likelihood)) {
    return fmt::format(
        "marginal error            {:.2f} % of the tokens\n"
        "tokens are not joined over the layers: no classes could be fitted\n",
        100 * r.marginal_error);
  }
  return fmt::format(
      "held-out log-likelihood   {:.4f} nats per token and layer ({:+.4f} over one class)\n"
      "marginal error            {:.2f} % of the tokens\n"
      "co-activation             {:.4f} nats in the data, {:.4f} in the fit\n"
      "between layers            {:.4f} nats in the data, {:.4f} in the fit\n",
      r.log_likelihood, r.log_likelihood - r.independent, 100 * r.marginal_error,
      r.coactivation.data, r.coactivation.fit, r.interlayer.data, r.interlayer.fit);
}

}  // namespace moesim
