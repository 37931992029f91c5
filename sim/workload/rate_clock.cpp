#include "sim/workload/rate_clock.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace moesim {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

// Time x at which a rate that runs from r0 with this slope has integrated to `events`:
// r0 x + slope x^2 / 2 = events, in the form that does not cancel.
double time_for(double events, double r0, double slope) {
  if (events <= 0) return 0;
  const double root = std::sqrt(std::max(0.0, r0 * r0 + 2 * slope * events));
  const double divisor = r0 + root;
  return divisor > 0 ? 2 * events / divisor : kNever;
}

double between(const RatePoint& a, const RatePoint& b, double t) {
  const double width = b.at.value - a.at.value;
  return width > 0 ? a.times + (b.times - a.times) * (t - a.at.value) / width : b.times;
}

}  // namespace

RateClock::RateClock(PerSecond rate, std::span<const RatePoint> curve, Seconds period,
                     std::vector<SurgeOptions> surges)
    : rate_(rate.value),
      curve_(curve.begin(), curve.end()),
      period_(period.value),
      surges_(std::move(surges)) {
  std::erase_if(surges_, [](const SurgeOptions& s) { return s.lasts.value <= 0; });
  for (const SurgeOptions& s : surges_) {
    edges_.push_back(s.at.value);
    edges_.push_back((s.at + s.lasts).value);
  }
  std::sort(edges_.begin(), edges_.end());
  // A periodic curve is closed: its last corner is followed by the first of the next period.
  if (period_ > 0 && !curve_.empty()) {
    const RatePoint first = curve_.front();
    const RatePoint last = curve_.back();
    const RatePoint next{first.at + period, first.times};
    const double at_seam = between(last, next, period_);
    if (first.at.value > 0) curve_.insert(curve_.begin(), {Seconds{0}, at_seam});
    if (last.at.value < period_) curve_.push_back({period, at_seam});
  }
  pass(0);
}

double RateClock::surge_factor(double t) const {
  double factor = 1;
  for (const SurgeOptions& s : surges_) {
    if (s.at.value <= t && t < (s.at + s.lasts).value) factor *= s.times;
  }
  return factor;
}

RateClock::Piece RateClock::piece() const {
  double curve_end = kNever;
  double begin = 1;
  double end = 1;
  const bool before = point_ == 0;
  if (before && !curve_.empty()) {
    curve_end = curve_.front().at.value;
    begin = end = curve_.front().times;
  } else if (point_ < curve_.size()) {
    const RatePoint& a = curve_[point_ - 1];
    const RatePoint& b = curve_[point_];
    curve_end = cycle_ + b.at.value;
    begin = between(a, b, now_ - cycle_);
    end = b.times;
  } else if (!curve_.empty()) {
    begin = end = curve_.back().times;
  }
  const double edge = edge_ < edges_.size() ? edges_[edge_] : kNever;
  if (edge < curve_end) {
    if (curve_end != kNever) end = begin + (end - begin) * (edge - now_) / (curve_end - now_);
    curve_end = edge;
  }
  const double factor = rate_ * surge_factor(now_);
  return {curve_end, begin * factor, end * factor};
}

void RateClock::pass(double end) {
  now_ = end;
  while (edge_ < edges_.size() && edges_[edge_] <= now_) ++edge_;
  while (point_ < curve_.size() && cycle_ + curve_[point_].at.value <= now_) {
    ++point_;
    if (point_ == curve_.size() && period_ > 0) {
      cycle_ += period_;
      point_ = 1;  // the seam is both the last corner and the first
    }
  }
}

Seconds RateClock::after(double events) {
  for (;;) {
    const Piece p = piece();
    if (p.end == kNever) {
      now_ = p.at_begin > 0 ? now_ + events / p.at_begin : kNever;
      return Seconds{now_};
    }
    const double width = p.end - now_;
    const double whole = (p.at_begin + p.at_end) / 2 * width;
    if (events < whole) {
      const double slope = (p.at_end - p.at_begin) / width;
      now_ = std::min(now_ + time_for(events, p.at_begin, slope), p.end);
      return Seconds{now_};
    }
    events -= whole;
    pass(p.end);
  }
}

}  // namespace moesim
