#include "sim/metrics/quantiles.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

const double kLogGamma =
    std::log((1 + QuantileSketch::kRelativeError) / (1 - QuantileSketch::kRelativeError));
constexpr double kSmallest = 1e-9;
constexpr double kLargest = 1e9;

// Bin i holds (gamma^(i-1), gamma^i].
int bin_of(double value) {
  return static_cast<int>(
      std::ceil(std::log(std::clamp(value, kSmallest, kLargest)) / kLogGamma));
}

// The value that is within the relative error of everything in the bin.
double middle_of(int bin) {
  return std::exp(bin * kLogGamma) * (1 - QuantileSketch::kRelativeError);
}

}  // namespace

double quantile_of_sorted(std::span<const double> sorted, double p) {
  MOESIM_LAW(!sorted.empty(), "a quantile needs at least one value");
  const double rank = p * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(rank);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (rank - static_cast<double>(low));
}

void QuantileSketch::add(double value, std::int64_t count) {
  if (count <= 0) return;
  MOESIM_LAW(value >= 0, "a duration is not negative");
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = count_ == 0 ? value : std::max(max_, value);
  count_ += count;
  sum_ += value * static_cast<double>(count);
  if (!bins_.empty()) {
    add_to_bin(value, count);
    return;
  }
  values_.push_back({value, count});
  if (values_.size() < 2 * kExact) return;
  compact();
  if (values_.size() > kExact) to_bins();
}

void QuantileSketch::compact() const {
  if (sorted_ == values_.size()) return;
  const auto less = [](const Weighted& a, const Weighted& b) { return a.value < b.value; };
  std::sort(values_.begin(), values_.end(), less);
  std::size_t last = 0;
  for (std::size_t i = 1; i < values_.size(); ++i) {
    if (values_[i].value == values_[last].value) {
      values_[last].count += values_[i].count;
    } else {
      values_[++last] = values_[i];
    }
  }
  values_.resize(std::min(values_.size(), last + 1));
  sorted_ = values_.size();
}

void QuantileSketch::to_bins() {
  for (const Weighted& w : values_) add_to_bin(w.value, w.count);
  values_ = {};
  sorted_ = 0;
}

void QuantileSketch::add_to_bin(double value, std::int64_t count) {
  const int bin = bin_of(value);
  if (bins_.empty()) {
    first_bin_ = bin;
    bins_.push_back(0);
  }
  if (bin < first_bin_) {
    bins_.insert(bins_.begin(), static_cast<std::size_t>(first_bin_ - bin), 0);
    first_bin_ = bin;
  }
  const auto at = static_cast<std::size_t>(bin - first_bin_);
  if (at >= bins_.size()) bins_.resize(at + 1, 0);
  bins_[at] += count;
}

void QuantileSketch::merge(const QuantileSketch& other) {
  if (other.count_ == 0) return;
  const double sum = sum_ + other.sum_;
  const double least = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  const double most = count_ == 0 ? other.max_ : std::max(max_, other.max_);
  const std::int64_t count = count_ + other.count_;
  if (!other.bins_.empty() && bins_.empty()) to_bins();
  for (const Weighted& w : other.values_) add(w.value, w.count);
  for (std::size_t i = 0; i < other.bins_.size(); ++i) {
    if (other.bins_[i] == 0) continue;
    add_to_bin(middle_of(other.first_bin_ + static_cast<int>(i)), other.bins_[i]);
  }
  sum_ = sum;
  min_ = least;
  max_ = most;
  count_ = count;
}

double QuantileSketch::mean() const {
  return count_ == 0 ? std::numeric_limits<double>::quiet_NaN()
                     : sum_ / static_cast<double>(count_);
}

double QuantileSketch::quantile(double p) const {
  if (count_ == 0) return std::numeric_limits<double>::quiet_NaN();
  const auto rank = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::ceil(p * static_cast<double>(count_) - 1e-9)));
  std::int64_t seen = 0;
  if (bins_.empty()) {
    compact();
    for (const Weighted& w : values_) {
      if ((seen += w.count) >= rank) return w.value;
    }
    return max_;
  }
  for (std::size_t i = 0; i < bins_.size(); ++i) {
    if ((seen += bins_[i]) >= rank) {
      return std::clamp(middle_of(first_bin_ + static_cast<int>(i)), min_, max_);
    }
  }
  return max_;
}

}  // namespace moesim
