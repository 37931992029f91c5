#include "sim/metrics/counter_history.hpp"

#include <algorithm>

#include "sim/base/errors.hpp"

namespace moesim {

CounterHistory::CounterHistory(std::size_t counters, Seconds first_bin)
    : width_(first_bin.value), last_(counters) {}

void CounterHistory::see(Seconds begin, Seconds end, std::span<const double> counters) {
  MOESIM_LAW(end_ <= begin.value && begin <= end, "a history's intervals do not overlap");
  MOESIM_LAW(counters.size() == last_.size(), "a history sees all of its counters");
  if (end.value >= static_cast<double>(kept_ + 1) * width_) {
    keep(begin.value, end.value, counters);
  }
  std::ranges::copy(counters, last_.begin());
  end_ = end.value;
}

// The instants in (end_, end].
void CounterHistory::keep(double begin, double end, std::span<const double> counters) {
  while (end >= static_cast<double>(kept_ + 1) * width_) {
    if (kept_ == kBins) {
      widen();
      continue;
    }
    const double when = static_cast<double>(++kept_) * width_;
    const double part = end > begin    ? std::clamp((when - begin) / (end - begin), 0.0, 1.0)
                        : when < begin ? 0.0
                                       : 1.0;
    for (std::size_t c = 0; c < last_.size(); ++c) {
      marks_.push_back(last_[c] + part * (counters[c] - last_[c]));
    }
  }
}

void CounterHistory::widen() {
  const std::size_t n = last_.size();
  for (std::size_t i = 0; i < kBins / 2; ++i) {
    std::copy_n(marks_.begin() + static_cast<std::ptrdiff_t>((2 * i + 1) * n), n,
                marks_.begin() + static_cast<std::ptrdiff_t>(i * n));
  }
  kept_ = kBins / 2;
  marks_.resize(kept_ * n);
  width_ *= 2;
}

std::size_t CounterHistory::bins() const {
  return kept_ + (end_ > static_cast<double>(kept_) * width_ ? 1 : 0);
}

double CounterHistory::at(std::size_t counter, Seconds when) const {
  if (when.value >= end_) return last_[counter];
  const auto below = std::min(kept_, static_cast<std::size_t>(when.value / width_));
  const auto mark = [&](std::size_t i) {
    return i == 0 ? 0.0 : marks_[(i - 1) * last_.size() + counter];
  };
  const double begin = static_cast<double>(below) * width_;
  const double end = below < kept_ ? begin + width_ : end_;
  const double next = below < kept_ ? mark(below + 1) : last_[counter];
  const double part =
      end > begin ? std::clamp((when.value - begin) / (end - begin), 0.0, 1.0) : 0.0;
  return mark(below) + part * (next - mark(below));
}

}  // namespace moesim
