// The correction that measured shapes make to the roofline.
//
// Residuals log(measured / roofline) are a Gaussian process (Rasmussen and Williams 2006,
// chapter 2) over a point's features. Two points are alike by the distance of their features;
// more so if their experts are as many and as wide, for which an engine tunes its block sizes.
// What is a curve's own, and each point's noise, says nothing about other shapes. Far from
// every measurement the correction fades and the roofline is left.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

namespace moesim {

// log2 of rows per active expert, active experts, hidden, intermediate, experts and top_k; 1
// where tokens outnumber the layer's experts, else 0: an untuned Triton kernel takes larger
// tiles then; log2 of the tiles of 128 x 128 of the first and of the second GEMM per
// multiprocessor (waves), within a factor of 16; with the smallest tile of 8, 16, ... 128 rows
// that holds an expert's rows, or the widest, log2 of the tiles needed and of their rows /
// rows; 1 where the engine has block sizes tuned for as many experts of that width, else 0.
struct Feature {
  enum Index : std::size_t {
    rows,
    active,
    hidden,
    intermediate,
    experts,
    top_k,
    crowded,
    first_waves,
    second_waves,
    tiles,
    fill,
    tuned,
    count
  };
};
using Features = std::array<double, Feature::count>;

// Covariance scale^2 exp(-distance).
struct Likeness {
  double scale = 0.5;  // standard deviation of log time
  Features weight;     // distance per unit of a feature
};

// A sum of several length scales and subsets of features: what is alike in rows and width alone
// informs shapes that are far in the rest.
struct ResidualMetric {
  std::string_view name;
  std::array<Likeness, 6> likeness;
  double config = 0.1;   // standard deviations of log time: of as many experts as wide,
  double curve = 0.03;   // of one curve alone,
  double noise = 0.015;  // of a point

  // Between two points of different curves.
  [[nodiscard]] double covariance(const Features& a, const Features& b) const;
  // What two points of one curve share besides, its own point's noise apart.
  [[nodiscard]] double curve_covariance(const Features& a, const Features& b) const;
};

// The one that fits use. A profile names it: weights of another metric mean nothing.
const ResidualMetric& residual_metric();

class ResidualField {
 public:
  // `weight` is the point's entry of K^-1 y, K the covariance of the points, y their residuals.
  void add(const Features& at, double weight);
  // exp of this times the roofline is the prediction: sum of weight x covariance.
  [[nodiscard]] double at(const Features& features) const;

 private:
  std::vector<Features> points_;
  std::array<std::vector<double>, std::tuple_size_v<Features>> by_feature_;
  std::vector<double> weight_;
};

}  // namespace moesim
