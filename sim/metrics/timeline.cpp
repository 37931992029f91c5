#include "sim/metrics/timeline.hpp"

#include <algorithm>
#include <utility>

#include "sim/base/errors.hpp"

namespace moesim {

void Timeline::Bin::join(const Bin& other) {
  if (other.weight <= 0) return;
  most = weight > 0 ? std::max(most, other.most) : other.most;
  sum += other.sum;
  weight += other.weight;
}

void Timeline::Bin::put(double value, double by) { join({value * by, by, value}); }

Timeline::Timeline(std::vector<Series> series, Seconds first_bin_width)
    : series_(std::move(series)),
      bins_(series_.size() * kBins),
      levels_(series_.size()),
      width_(first_bin_width) {}

Timeline::Bin& Timeline::bin_at(int series, double now) {
  MOESIM_LAW(now >= 0, "time does not run backwards");
  while (now >= width_.value * kBins) {
    for (std::size_t s = 0; s < series_.size(); ++s) {
      Bin* bins = &bins_[s * kBins];
      for (std::size_t i = 0; i < kBins / 2; ++i) {
        Bin joined = bins[2 * i];
        joined.join(bins[2 * i + 1]);
        bins[i] = joined;
      }
      std::fill(bins + kBins / 2, bins + kBins, Bin{});
    }
    width_ *= 2;
    used_ = (used_ + 1) / 2;
  }
  const auto bin = std::min(static_cast<std::size_t>(now / width_.value), kBins - 1);
  used_ = std::max(used_, bin + 1);
  end_ = std::max(end_, now);
  return bins_[static_cast<std::size_t>(series) * kBins + bin];
}

// Gives a level's value to the bins between its last change and `to`.
void Timeline::spread(int series, double to) {
  Level& level = levels_[static_cast<std::size_t>(series)];
  bin_at(series, to);  // widens the bins first
  while (level.since < to) {
    auto bin = static_cast<std::size_t>(level.since / width_.value);
    // Rounding can put an instant into the bin that ends with it.
    if (static_cast<double>(bin + 1) * width_.value <= level.since) ++bin;
    const double until = std::min(to, static_cast<double>(bin + 1) * width_.value);
    bins_[static_cast<std::size_t>(series) * kBins + std::min(bin, kBins - 1)].put(
        level.value, until - level.since);
    level.since = until;
  }
  level.since = to;
}

void Timeline::set(int series, Seconds now, double value) {
  spread(series, now.value);
  levels_[static_cast<std::size_t>(series)].value = value;
}

void Timeline::add(int series, Seconds now, double amount) {
  bin_at(series, now.value).join({amount, 1, amount});
}

void Timeline::sample(int series, Seconds now, double value, double weight) {
  bin_at(series, now.value).put(value, weight);
}

void Timeline::close(Seconds now) {
  for (std::size_t s = 0; s < series_.size(); ++s) {
    if (series_[s].kind == SeriesKind::level) spread(static_cast<int>(s), now.value);
  }
  end_ = std::max(end_, now.value);
  // An instant on a bin's begin is in it, but nothing lasts there.
  if (used_ > 1 && end_ <= static_cast<double>(used_ - 1) * width_.value) {
    for (std::size_t s = 0; s < series_.size(); ++s) {
      Bin& last = bins_[s * kBins + used_ - 1];
      bins_[s * kBins + used_ - 2].join(last);
      last = {};
    }
    --used_;
  }
}

Seconds Timeline::bin_begin(std::size_t bin) const { return width_ * static_cast<double>(bin); }

Seconds Timeline::bin_end(std::size_t bin) const {
  const Seconds whole = width_ * static_cast<double>(bin + 1);
  return bin + 1 == used_ ? std::min(whole, Seconds{end_}) : whole;
}

const Timeline::Bin& Timeline::at(int series, std::size_t bin) const {
  MOESIM_LAW(bin < used_, "a timeline's bin lies within the run");
  return bins_[static_cast<std::size_t>(series) * kBins + bin];
}

bool Timeline::has(int series, std::size_t bin) const {
  return series_[static_cast<std::size_t>(series)].kind == SeriesKind::flow ||
         at(series, bin).weight > 0;
}

double Timeline::value(int series, std::size_t bin) const {
  const Bin& b = at(series, bin);
  if (series_[static_cast<std::size_t>(series)].kind == SeriesKind::flow) {
    const Seconds lasts = bin_end(bin) - bin_begin(bin);
    return lasts.value > 0 ? b.sum / lasts.value : 0;
  }
  return b.weight > 0 ? b.sum / b.weight : 0;
}

double Timeline::largest(int series, std::size_t bin) const {
  if (series_[static_cast<std::size_t>(series)].kind == SeriesKind::flow) {
    return value(series, bin);
  }
  return at(series, bin).most;
}

}  // namespace moesim
