#include "sim/router/token_sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace moesim {

namespace {
constexpr double kNever = std::numeric_limits<double>::infinity();
}

TokenSampler::TokenSampler(const RouterShape& shape, std::span<const double> rates)
    : shape_(shape),
      rates_(rates.begin(), rates.end()),
      arrival_(rates.size()),
      order_(rates.size()),
      group_time_(static_cast<std::size_t>(shape.expert_groups)),
      group_order_(static_cast<std::size_t>(shape.expert_groups)) {}

void TokenSampler::draw(Stream& stream, std::span<int> chosen) {
  for (std::size_t e = 0; e < rates_.size(); ++e) {
    arrival_[e] = -std::log(stream.open_uniform()) / rates_[e];
  }
  if (shape_.group_limited()) keep_best_groups();
  std::iota(order_.begin(), order_.end(), 0);
  const auto by_arrival = [this](int a, int b) {
    const double ta = arrival_[static_cast<std::size_t>(a)];
    const double tb = arrival_[static_cast<std::size_t>(b)];
    return ta != tb ? ta < tb : a < b;
  };
  const auto k = static_cast<std::ptrdiff_t>(chosen.size());
  std::partial_sort(order_.begin(), order_.begin() + k, order_.end(), by_arrival);
  std::copy_n(order_.begin(), k, chosen.begin());
}

void TokenSampler::keep_best_groups() {
  const std::size_t size = rates_.size() / group_time_.size();
  for (std::size_t g = 0; g < group_time_.size(); ++g) {
    double first = kNever;
    double second = kNever;
    for (std::size_t e = g * size; e < (g + 1) * size; ++e) {
      if (arrival_[e] < first) {
        second = first;
        first = arrival_[e];
      } else {
        second = std::min(second, arrival_[e]);
      }
    }
    // A score is -log of its arrival, so the sum of two scores is -log of the product.
    const bool two = shape_.group_score == GroupScore::two_best && size > 1;
    group_time_[g] = two ? first * second : first;
    group_order_[g] = static_cast<int>(g);
  }
  std::stable_sort(group_order_.begin(), group_order_.end(), [this](int a, int b) {
    return group_time_[static_cast<std::size_t>(a)] < group_time_[static_cast<std::size_t>(b)];
  });
  for (std::size_t i = static_cast<std::size_t>(shape_.top_groups); i < group_order_.size();
       ++i) {
    const auto g = static_cast<std::size_t>(group_order_[i]);
    std::fill_n(arrival_.begin() + static_cast<std::ptrdiff_t>(g * size), size, kNever);
  }
}

}  // namespace moesim
