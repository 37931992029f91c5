#include "calibrate/fit_experts.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "calibrate/expert_model.hpp"
#include "calibrate/fit_roofline.hpp"
#include "calibrate/fit_skew.hpp"

namespace moesim {

namespace {

using ShapeId = std::tuple<int, int, int, int>;  // hidden, whole width, experts, top_k

ShapeId model_shape(const ExpertShapeCurve& curve) {
  return {curve.hidden, curve.intermediate * curve.slices, curve.experts * curve.parallel,
          curve.top_k};
}

std::set<ShapeId> model_shapes(const ExpertSection& section) {
  std::set<ShapeId> shapes;
  for (const ExpertShapeCurve& curve : section.curves) shapes.insert(model_shape(curve));
  return shapes;
}

// What is left out at a time: a model shape; of one model under many parallelisms (wide expert
// parallelism), one parallelism.
ShapeId fold_of(const ExpertSection& section, const ExpertShapeCurve& curve) {
  if (model_shapes(section).size() >= 3) return model_shape(curve);
  return {curve.parallel, 0, 0, 0};
}

std::set<ShapeId> folds_of(const ExpertSection& section) {
  std::set<ShapeId> folds;
  for (const ExpertShapeCurve& curve : section.curves) folds.insert(fold_of(section, curve));
  return folds;
}

// The parameters are fitted to whole experts or wide slices: narrow ones are ruled by launch
// and tile effects, which the neighbours carry. Curves whose load is inferred price their own
// shape alone, neither inform others nor judge.
bool shapes_the_roofline(const ExpertSection& section, const ExpertShapeCurve& curve) {
  const bool wide = std::none_of(section.curves.begin(), section.curves.end(),
                                 [](const auto& c) { return c.parallel == 1; });
  return curve.slices <= 4 && curve.most_active == 0 && (wide || curve.parallel == 1);
}

Roofline fit_curves(const ExpertSection& section, const Device& device) {
  std::vector<RooflinePoint> points;
  for (const ExpertShapeCurve& curve : section.curves) {
    if (!shapes_the_roofline(section, curve)) continue;
    for (std::size_t i = 0; i < curve.tokens.size(); ++i) {
      const ExpertPoint point = even_point(curve, curve.tokens[i], curve.seconds[i]);
      points.push_back({work_of(point, section.key.dtype, section.gated), point.seconds});
    }
  }
  return fit_roofline(points, peak_flops(device, section.key.dtype).value,
                      device.memory_bandwidth.value);
}

// Fits, then fits again without the model shapes that lie far off.
Roofline fit_robustly(const ExpertSection& section, const Device& device) {
  ExpertSection kept = section;
  kept.metric.clear();
  kept.roofline = fit_curves(kept, device);
  const ExpertModel model(kept, device);
  std::map<ShapeId, std::vector<double>> residuals;
  for (const ExpertShapeCurve& curve : section.curves) {
    for (std::size_t i = 0; i < curve.tokens.size(); ++i) {
      const ExpertPoint point = even_point(curve, curve.tokens[i], curve.seconds[i]);
      residuals[model_shape(curve)].push_back(std::log(point.seconds / model.roofline(point)));
    }
  }
  const auto removed = std::erase_if(kept.curves, [&](const ExpertShapeCurve& curve) {
    return is_outlier(residuals[model_shape(curve)]);
  });
  return removed > 0 && !kept.curves.empty() ? fit_curves(kept, device) : kept.roofline;
}

struct Choice {
  std::string metric;
  bool wide_only = false;
};

// One section per model shape, without it, with its own parameters.
struct LeaveOut {
  ShapeId shape;
  ExpertSection rest;
};

std::vector<LeaveOut> leave_shapes_out(const ExpertSection& section, const Device& device) {
  std::vector<LeaveOut> all;
  for (const ShapeId& shape : folds_of(section)) {
    LeaveOut one{shape, section};
    std::erase_if(one.rest.curves, [&](const ExpertShapeCurve& curve) {
      return fold_of(section, curve) == shape;
    });
    one.rest.roofline = fit_robustly(one.rest, device);
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<HeldOutPoint> predict_left_out(const ExpertSection& section,
                                           std::vector<LeaveOut>& folds, const Choice& choice,
                                           const Device& device) {
  std::vector<HeldOutPoint> points;
  for (LeaveOut& fold : folds) {
    fold.rest.metric = choice.metric;
    fold.rest.wide_only = choice.wide_only;
    const ExpertModel model(fold.rest, device);
    for (const ExpertShapeCurve& curve : section.curves) {
      if (fold_of(section, curve) != fold.shape || !shapes_the_roofline(section, curve)) {
        continue;
      }
      for (std::size_t i = 0; i < curve.tokens.size(); ++i) {
        const ExpertPoint point = even_point(curve, curve.tokens[i], curve.seconds[i]);
        points.push_back({curve.tokens[i], model.predict(point), point.seconds});
      }
    }
  }
  return points;
}

// Chooses the metric; the errors of the chosen one are the section's.
void choose_metric(ExpertSection& section, const Device& device) {
  auto folds = leave_shapes_out(section, device);
  double best = HUGE_VAL;
  for (const ResidualMetric& metric : metrics_of_residuals()) {
    for (const bool wide_only : {false, true}) {
      const Choice choice{std::string(metric.name), wide_only};
      const HeldOut errors = summarize_held_out(
          model_shapes(section).size() >= 3 ? "one model shape left out at a time"
                                            : "one expert parallelism left out at a time",
          predict_left_out(section, folds, choice, device));
      const double score = errors.all.median / 0.02 + errors.all.p90 / 0.10;
      if (score >= best) continue;
      best = score;
      section.metric = choice.metric;
      section.wide_only = choice.wide_only;
      section.shapes_left_out = errors;
    }
  }
}

// Every inner point predicted from its two neighbours on the same curve.
HeldOut leave_points_out(const ExpertSection& section) {
  std::vector<HeldOutPoint> points;
  for (const ExpertShapeCurve& curve : section.curves) {
    for (std::size_t i = 1; i + 1 < curve.tokens.size(); ++i) {
      ExpertShapeCurve pair = curve;
      pair.tokens = {curve.tokens[i - 1], curve.tokens[i + 1]};
      pair.seconds = {curve.seconds[i - 1], curve.seconds[i + 1]};
      points.push_back({curve.tokens[i], interpolate(pair, curve.tokens[i]), curve.seconds[i]});
    }
  }
  return summarize_held_out("one point of a curve left out at a time", points);
}

using SectionId = std::tuple<std::string, std::string, Dtype, bool>;  // engine, kernel, ...

// The numbers in a version, for comparing: "0.5.6.post2" < "0.5.10".
std::vector<int> version_numbers(const std::string& version) {
  std::vector<int> numbers;
  int digits = 0;
  for (const char c : version) {
    if (c < '0' || c > '9') {
      digits = 0;
      continue;
    }
    if (digits++ == 0) numbers.push_back(0);
    numbers.back() = numbers.back() * 10 + (c - '0');
  }
  return numbers;
}

// The newest of the versions with at least half as many rows as the most frequent one.
std::string main_version(const std::map<std::string, int>& rows) {
  int most = 0;
  for (const auto& [version, count] : rows) most = std::max(most, count);
  std::string newest;
  for (const auto& [version, count] : rows) {
    if (2 * count < most) continue;
    if (newest.empty() || version_numbers(newest) < version_numbers(version)) newest = version;
  }
  return newest;
}

std::vector<ExpertSection> group_curves(const std::vector<ExpertRow>& rows) {
  using CurveId = std::tuple<ShapeId, int, int, std::string, int>;
  std::map<SectionId, std::map<CurveId, std::map<double, std::vector<double>>>> groups;
  std::map<SectionId, std::map<std::string, int>> versions;
  for (const ExpertRow& row : rows) {
    if (row.distribution != "balanced") continue;
    if (row.parallel > 1 && row.slices > 1) continue;  // keeps profiles small
    const SectionId id{row.key.engine, row.key.kernel, row.key.dtype, row.gated};
    const CurveId curve{{row.hidden, row.intermediate, row.experts, row.top_k},
                        row.slices,
                        row.parallel,
                        row.key.version,
                        row.most_active};
    groups[id][curve][row.tokens].push_back(row.seconds);
    ++versions[id][row.key.version];
  }
  std::vector<ExpertSection> sections;
  for (const auto& [id, curves] : groups) {
    const std::string main = main_version(versions[id]);
    ExpertSection section;
    section.key = {std::get<0>(id), main, std::get<1>(id), std::get<2>(id)};
    section.gated = std::get<3>(id);
    for (const auto& [curve_id, times] : curves) {
      const auto& [shape, slices, parallel, version, most_active] = curve_id;
      // Another version may add shapes that the main one lacks, never merge into them.
      const auto same = [&](const auto& other) {
        return std::get<0>(other.first) == shape && std::get<1>(other.first) == slices &&
               std::get<2>(other.first) == parallel && std::get<3>(other.first) == main;
      };
      if (version != main && std::any_of(curves.begin(), curves.end(), same)) continue;
      ExpertShapeCurve curve;
      curve.hidden = std::get<0>(shape);
      curve.intermediate = std::get<1>(shape) / slices;
      curve.experts = std::max(1, std::get<2>(shape) / parallel);
      curve.top_k = std::get<3>(shape);
      curve.parallel = parallel;
      curve.slices = slices;
      curve.most_active = most_active;
      if (version != section.key.version) curve.version = version;
      for (const auto& [tokens, seconds] : times) {
        curve.tokens.push_back(tokens);
        curve.seconds.push_back(quantile(seconds, 0.5));
      }
      section.curves.push_back(std::move(curve));
    }
    sections.push_back(std::move(section));
  }
  return sections;
}

}  // namespace

std::vector<ExpertSection> fit_expert_sections(const std::vector<ExpertRow>& rows,
                                               const Device& device) {
  std::vector<ExpertSection> sections = group_curves(rows);
  for (ExpertSection& section : sections) {
    section.roofline = fit_robustly(section, device);
    section.points_left_out = leave_points_out(section);
    if (folds_of(section).size() >= 3) choose_metric(section, device);
    section.skew = fit_skew(section, rows, device);
  }
  // The best known kernel first: it is the one asked for shapes that nobody measured.
  std::stable_sort(sections.begin(), sections.end(), [](const auto& a, const auto& b) {
    return model_shapes(a).size() > model_shapes(b).size();
  });
  return sections;
}

}  // namespace moesim
