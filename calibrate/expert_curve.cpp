// The expert FFN: from a profile's section to the table that is looked up per layer.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "calibrate/cost_model.hpp"
#include "calibrate/expert_model.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/section_choice.hpp"
#include "calibrate/tabulate.hpp"

namespace moesim {

namespace {

const ExpertShapeCurve* exact_curve(const ExpertSection& section, const ExpertShape& shape) {
  for (const ExpertShapeCurve& c : section.curves) {
    if (c.hidden == shape.hidden && c.intermediate == shape.intermediate &&
        c.experts == shape.experts && c.top_k == shape.top_k &&
        c.standing != Standing::untuned) {
      return &c;
    }
  }
  return nullptr;
}

bool is_wide(const ExpertSection& section) {
  return std::none_of(section.curves.begin(), section.curves.end(),
                      [](const ExpertShapeCurve& c) { return c.parallel == 1; });
}

// A kernel that the fit put first though another engine's table times it: it is the one that
// runs, so it answers even where the engine's own table has the shape.
const ExpertSection* stand_in_kernel(const Profile& profile, const ExpertShape& shape) {
  const auto of = [&](const ExpertSection& s) {
    return s.key.dtype == shape.dtype && s.gated == shape.gated;
  };
  const auto first = std::find_if(profile.experts.begin(), profile.experts.end(), of);
  if (first == profile.experts.end() || first->key.engine == profile.engine) return nullptr;
  const bool replaces = std::any_of(first, profile.experts.end(), [&](const ExpertSection& s) {
    return of(s) && s.key.engine == profile.engine;
  });
  return replaces ? &*first : nullptr;
}

const ExpertSection* choose(const Profile& profile, const ExpertShape& shape) {
  const auto same = [&](const ExpertSection& s) {
    return s.gated == shape.gated && (shape.parallel > 1 || !is_wide(s));
  };
  const auto exact = [&](const ExpertSection& s) {
    return same(s) && s.key.dtype == shape.dtype && exact_curve(s, shape) != nullptr;
  };
  if (const auto* s = stand_in_kernel(profile, shape)) return s;
  if (const auto* s = choose_section(profile.experts, shape.dtype, exact)) return s;
  // A kernel made for wide expert parallelism, timed for this expert.
  const auto wide = [&](const ExpertSection& s) {
    return same(s) && s.key.dtype == shape.dtype && is_wide(s) &&
           s.curves.front().hidden == shape.hidden &&
           s.curves.front().intermediate == shape.intermediate;
  };
  if (shape.parallel > 1) {
    if (const auto* s = choose_section(profile.experts, shape.dtype, wide)) return s;
  }
  const auto known = [&](const ExpertSection& s) {
    return same(s) && !s.metric.empty() && !is_wide(s);
  };
  if (const auto* s = choose_section(profile.experts, shape.dtype, known)) {
    if (s->key.dtype == shape.dtype) return s;
  }
  if (const auto* s = choose_section(profile.experts, shape.dtype, same)) return s;
  return choose_section(profile.experts, shape.dtype,
                        [](const ExpertSection&) { return true; });
}

ExpertPoint point_of(const ExpertShape& shape, double assignments, double active) {
  return {assignments,
          std::min(active, assignments),
          static_cast<double>(shape.hidden),
          static_cast<double>(shape.intermediate),
          static_cast<double>(shape.experts),
          static_cast<double>(shape.top_k),
          0};
}

// The measured curve over the model, as a function of assignments under an even load.
class OwnCurve {
 public:
  OwnCurve(const ExpertShapeCurve& curve, const ExpertModel& model)
      : experts_(curve.experts), share_(reached_share(curve)) {
    for (std::size_t i = 0; i < curve.tokens.size(); ++i) {
      const ExpertPoint point = even_point(curve, curve.tokens[i], curve.seconds[i]);
      if (!at_.empty() && point.assignments <= at_.back()) continue;
      points_.push_back(point);
      at_.push_back(point.assignments);
      log_ratio_.push_back(std::log(point.seconds / model.predict(point)));
    }
  }

  // At an uneven point: where the curve has as many assignments while experts have few tokens
  // (what counts is how many weights are read), and as many tokens per expert once they fill a
  // tile. On the curve's own points the two are one.
  [[nodiscard]] double log_ratio(double assignments, double active) const {
    const double rows = std::max(1.0, share_ * assignments / active);
    const double same_rows = rows * experts_;
    const double same_weights = std::max(assignments, active / share_);
    const double part_rows = std::min(1.0, std::log(rows) / std::log(kSmallestTile));
    const double even =
        same_weights * std::pow(std::max(1.0, same_rows / same_weights), part_rows);
    const auto above = std::upper_bound(at_.begin(), at_.end(), even);
    if (above == at_.begin()) return log_ratio_.front();
    if (above == at_.end()) return log_ratio_.back();
    const auto i = static_cast<std::size_t>(above - at_.begin());
    const double part = std::log(even / at_[i - 1]) / std::log(at_[i] / at_[i - 1]);
    return log_ratio_[i - 1] + part * (log_ratio_[i] - log_ratio_[i - 1]);
  }

  // The load of its points, for knots.
  [[nodiscard]] const std::vector<ExpertPoint>& points() const { return points_; }

 private:
  double experts_;
  double share_;
  std::vector<ExpertPoint> points_;
  std::vector<double> at_, log_ratio_;
};

// Where a kernel takes the next tile: knots on both sides, a thousandth apart, so that a step
// is not smeared over the distance of two measurements.
void add_tile_steps(std::vector<double>& rows) {
  for (double edge = 8; edge <= 512; edge += edge < 128 ? edge : 128) {
    rows.push_back(edge);
    rows.push_back(1.001 * edge);
  }
}

// Axes of the table: rows per active expert, and active experts.
struct Knots {
  std::vector<double> rows, active;
};

Knots knots_of(const ExpertShape& shape, const OwnCurve* own) {
  constexpr double kMostRows = 1 << 18;  // beyond at constant slope
  const double experts = std::max(2, shape.experts);
  Knots wanted{{1}, {1, experts}};
  add_tile_steps(wanted.rows);
  // More tokens than experts, all of which are active: `crowded` of features_of.
  wanted.rows.insert(wanted.rows.end(), {1.0 * shape.top_k, 1.001 * shape.top_k});
  if (own != nullptr) {
    for (const ExpertPoint& point : own->points()) {
      // Rounded, so that a point on an edge is one knot with it.
      wanted.rows.push_back(std::round(1e6 * point.assignments / point.active) * 1e-6);
      if (point.active < experts) wanted.active.push_back(point.active);
    }
  }
  return {merge_knots(wanted.rows, half_octaves(1, kMostRows)),
          merge_knots(wanted.active, half_octaves_within(1, experts))};
}

// Factor over (tokens per expert, skew_imbalance): factor = imbalance^s, s by tokens per
// expert. More imbalance is never faster.
std::shared_ptr<const LogGrid> skew_grid(const std::vector<SkewPoint>& skew) {
  constexpr double kMost = 32, kFull = 4096;
  std::vector<double> rows, values;
  for (const SkewPoint& point : skew) {
    if (point.imbalance < 1.5) continue;  // says nothing about imbalance
    const double power =
        std::clamp(std::log(point.factor) / std::log(point.imbalance), 0.0, 0.5);
    rows.push_back(point.tokens_per_expert);
    values.push_back(1);
    values.push_back(std::pow(kMost, power));
  }
  if (rows.empty()) return nullptr;
  // Every kernel timed so far: with thousands of rows each expert fills the GPU by itself.
  if (rows.back() < 0.5 * kFull) {
    rows.push_back(kFull);
    values.insert(values.end(), {1, 1});
  }
  const std::vector<double> imbalance{1, kMost};
  return std::make_shared<LogGrid>(LogAxis(rows), LogAxis(imbalance), values, Beyond::clamp);
}

CurveOrigin origin_of(const ExpertSection& section, const ExpertShape& shape, bool exact) {
  CurveOrigin origin;
  origin.provenance = exact ? Provenance::interpolated : Provenance::extrapolated;
  const HeldOut& held = exact || section.shapes_left_out.all.points == 0
                            ? section.points_left_out
                            : section.shapes_left_out;
  origin.error = held.all.median;
  origin.note = describe(section.key, shape.dtype);
  if (!exact) {
    origin.note += fmt::format("; no curve for hidden {}, intermediate {}, {} experts",
                               shape.hidden, shape.intermediate, shape.experts);
  }
  if (section.key.dtype != shape.dtype || section.gated != shape.gated ||
      (!exact && section.metric.empty())) {
    origin.error += kStandInError;
    origin.provenance = Provenance::assumed;
  }
  return origin;
}

}  // namespace

ExpertCurve CostModel::experts(const ExpertShape& shape) const {
  const ExpertSection* section = choose(*profile_, shape);
  ExpertSection none;  // the datasheet alone
  none.key.dtype = shape.dtype;
  none.roofline.fixed_s = 20e-6;
  const ExpertSection& s = section != nullptr ? *section : none;
  const ExpertModel model(s, measured_);
  const auto* curve =
      s.key.dtype == shape.dtype && s.gated == shape.gated ? exact_curve(s, shape) : nullptr;
  std::unique_ptr<OwnCurve> own;
  if (curve != nullptr) own = std::make_unique<OwnCurve>(*curve, model);

  // A stand-in, another GPU: times the ratio of the rooflines.
  const auto ratio = [&](const ExpertPoint& point) {
    if (s.key.dtype == shape.dtype && s.gated == shape.gated &&
        target_.name == measured_.name) {
      return 1.0;
    }
    const double wanted =
        roofline_time(s.roofline, work_of(point, shape.dtype, shape.gated),
                      peak_flops(target_, shape.dtype).value, target_.memory_bandwidth.value);
    return wanted / model.roofline(point);
  };
  const auto time = [&](double rows, double active) {
    const ExpertPoint point = point_of(shape, rows * active, active);
    const double log_own = own ? own->log_ratio(point.assignments, active) : 0;
    return model.predict(point) * std::exp(log_own) * ratio(point);
  };
  const Knots knots = knots_of(shape, own.get());
  CurveOrigin origin = origin_of(s, shape, own != nullptr);
  if (section == nullptr) origin = {Provenance::assumed, 0.4, "datasheet roofline"};
  add_transfer(origin);
  return {tabulate(knots.rows, knots.active, time, Shape::nondecreasing), skew_grid(s.skew),
          static_cast<double>(shape.experts), origin};
}

ExpertCurve::ExpertCurve(std::shared_ptr<const LogGrid> grid,
                         std::shared_ptr<const LogGrid> skew, double experts,
                         CurveOrigin origin)
    : grid_(std::move(grid)),
      skew_(std::move(skew)),
      experts_(experts),
      origin_(std::move(origin)) {}

Seconds ExpertCurve::time(const ExpertLoad& load) const {
  if (load.assignments <= 0) return Seconds{0};
  const double assignments = std::max(1.0, load.assignments);
  const double active = std::clamp(load.active, 1.0, std::min(experts_, assignments));
  const double log2_active = std::log2(active);
  const double log2_mean = std::log2(assignments) - log2_active;
  double log2_time = grid_->log2_at(log2_mean, log2_active);
  if (skew_ && load.most_loaded > 0) {
    const double imbalance = skew_imbalance(assignments / active, load.most_loaded);
    const double log2_imbalance = imbalance > 1 ? std::log2(imbalance) : 0.0;
    log2_time += skew_->log2_at(log2_mean, log2_imbalance);
  }
  return Seconds{std::exp2(log2_time) * std::min(1.0, load.assignments)};
}

Estimate ExpertCurve::estimate(const ExpertLoad& load) const {
  return {time(load), origin_.provenance, origin_.error};
}

}  // namespace moesim
