// Quantiles: exact ones of a vector, and a mergeable sketch for the hundreds of millions of
// gaps between tokens.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace moesim {

// Of an ascending, non-empty range, p in [0, 1]; linear between order statistics (Hyndman and
// Fan 1996, type 7), as numpy.percentile and hence vLLM's benchmark.
double quantile_of_sorted(std::span<const double> sorted, double p);

// Weighted values >= 0. Exact while at most kExact distinct values have been seen; after that
// DDSketch (Masson, Rim and Lee, VLDB 2019) with relative error <= kRelativeError for values
// within [1e-9, 1e9], 160 KiB at most. Count, sum, min and max are always exact.
class QuantileSketch {
 public:
  static constexpr std::size_t kExact = 4096;
  static constexpr double kRelativeError = 0.001;

  void add(double value, std::int64_t count = 1);
  // The same as adding everything that the other was given.
  void merge(const QuantileSketch& other);

  // The value of nearest rank ceil(p count): an element that was added, or within the error of
  // it. NaN when empty.
  [[nodiscard]] double quantile(double p) const;
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] double sum() const { return sum_; }
  [[nodiscard]] double mean() const;
  [[nodiscard]] double min() const { return min_; }
  [[nodiscard]] double max() const { return max_; }
  [[nodiscard]] bool exact() const { return bins_.empty(); }

 private:
  struct Weighted {
    double value;
    std::int64_t count;
  };
  void compact() const;
  void to_bins();
  void add_to_bin(double value, std::int64_t count);

  // Sorted and without duplicates up to `sorted_`; the rest as it came.
  mutable std::vector<Weighted> values_;
  mutable std::size_t sorted_ = 0;
  std::vector<std::int64_t> bins_;  // empty while exact
  int first_bin_ = 0;               // the key of bins_[0]
  std::int64_t count_ = 0;
  double sum_ = 0;
  double min_ = 0;
  double max_ = 0;
};

}  // namespace moesim
