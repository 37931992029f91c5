// Series over simulated time in bounded memory: at most kBins bins; when the run outgrows them,
// neighbours are joined and the bins are twice as wide. Joining loses resolution only: means
// stay exact.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/base/units.hpp"

namespace moesim {

enum class SeriesKind {
  level,   // 0 at first, keeps its value until set: queue length. Mean over time.
  flow,    // amounts at instants: tokens. Amount per second.
  sample,  // values at instants: balancedness, utilization. Weighted mean.
};

struct Series {
  std::string name;  // a column's name, with its unit: "output_tokens_per_s"
  SeriesKind kind = SeriesKind::sample;
};

class Timeline {
 public:
  static constexpr std::size_t kBins = 1024;

  explicit Timeline(std::vector<Series> series, Seconds first_bin_width = Seconds{0.01});

  // level: from `now` on. Instants of one series do not go backwards.
  void set(int series, Seconds now, double value);
  // flow
  void add(int series, Seconds now, double amount);
  // sample
  void sample(int series, Seconds now, double value, double weight = 1);
  // Levels last until here; call it once, at the end.
  void close(Seconds now);

  [[nodiscard]] const std::vector<Series>& series() const { return series_; }
  [[nodiscard]] Seconds bin_width() const { return width_; }
  [[nodiscard]] std::size_t bins() const { return used_; }
  // The last bin ends with the run, so it may be narrower.
  [[nodiscard]] Seconds bin_begin(std::size_t bin) const;
  [[nodiscard]] Seconds bin_end(std::size_t bin) const;

  // Mean (level, sample) or amount per second (flow) in the bin; `has` tells whether there was
  // anything.
  [[nodiscard]] bool has(int series, std::size_t bin) const;
  [[nodiscard]] double value(int series, std::size_t bin) const;
  // Largest level or sample in the bin; for a flow the same as value().
  [[nodiscard]] double largest(int series, std::size_t bin) const;

 private:
  struct Bin {
    double sum = 0;
    double weight = 0;
    double most = 0;
    void join(const Bin& other);
    void put(double value, double by);
  };
  struct Level {
    double value = 0;
    double since = 0;
  };
  Bin& bin_at(int series, double now);
  const Bin& at(int series, std::size_t bin) const;
  void spread(int series, double to);

  std::vector<Series> series_;
  std::vector<Bin> bins_;  // [series * kBins + bin]
  std::vector<Level> levels_;
  Seconds width_;
  std::size_t used_ = 0;
  double end_ = 0;
};

}  // namespace moesim
