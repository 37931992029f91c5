#include "calibrate/fit_correction.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "calibrate/expert_model.hpp"
#include "calibrate/fit_residuals.hpp"
#include "calibrate/fit_roofline.hpp"

namespace moesim {

namespace {

ModelShape model_shape(const ExpertShapeCurve& curve) {
  return {curve.hidden, curve.intermediate * curve.slices, curve.experts * curve.parallel,
          curve.top_k};
}

// What is left out at a time: a model shape; of one model under many parallelisms (wide expert
// parallelism), one parallelism.
ModelShape fold_of(const ExpertShapeCurve& curve, bool by_shape) {
  return by_shape ? model_shape(curve) : ModelShape{curve.parallel, 0, 0, 0};
}

// The parameters are fitted to whole experts or wide slices: narrow ones are ruled by launch
// and tile effects, which the correction carries.
bool is_whole(const ExpertSection& section, const ExpertShapeCurve& curve) {
  const bool wide = std::none_of(section.curves.begin(), section.curves.end(),
                                 [](const auto& c) { return c.parallel == 1; });
  return curve.slices <= 4 && (wide || curve.parallel == 1);
}

bool shapes_the_roofline(const ExpertSection& section, const ExpertShapeCurve& curve) {
  return curve.standing == Standing::informs && is_whole(section, curve);
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

// Is the shape too far off its section's roofline to say anything about others?
bool is_outlier(std::vector<double> residuals) {
  return std::abs(quantile(std::move(residuals), 0.5)) > 0.5;
}

// Of many points every `stride`th informs others, all of them of curves that judge.
std::size_t stride_of(const ExpertShapeCurve& curve, bool many) {
  if (!many) return 1;
  if (curve.parallel > 1) return 9;
  return curve.slices > 4 ? 3 : 1;
}

// As a profile's file keeps it: predictions move by about a thousandth.
double rounded(double weight) { return std::round(weight * kWeightUnits) / kWeightUnits; }

// The points that inform others, with their places in the section.
struct Informing {
  ResidualPoints points;
  std::vector<ExpertPoint> work;
  std::vector<std::pair<std::size_t, std::size_t>> place;  // curve, index
  std::vector<ModelShape> folds;
};

Informing informing_points(const ExpertSection& section) {
  constexpr std::size_t kMany = 700;
  const bool by_shape = count_model_shapes(section) >= 3;
  std::set<ModelShape> folds;
  std::size_t size = 0;
  for (const ExpertShapeCurve& curve : section.curves) {
    if (curve.standing != Standing::informs) continue;
    folds.insert(fold_of(curve, by_shape));
    size += curve.tokens.size();
  }
  Informing all;
  all.folds.assign(folds.begin(), folds.end());
  all.points.folds = static_cast<int>(folds.size());
  for (std::size_t c = 0; c < section.curves.size(); ++c) {
    const ExpertShapeCurve& curve = section.curves[c];
    if (curve.standing != Standing::informs) continue;
    const std::size_t stride = stride_of(curve, size > kMany);
    const auto fold = folds.find(fold_of(curve, by_shape));
    for (std::size_t i = c % stride; i < curve.tokens.size(); i += stride) {
      all.work.push_back(even_point(curve, curve.tokens[i], curve.seconds[i]));
      all.place.emplace_back(c, i);
      all.points.at.push_back(features_of(all.work.back(), section.tuned));
      all.points.curve.push_back(static_cast<int>(c));
      all.points.fold.push_back(static_cast<int>(std::distance(folds.begin(), fold)));
      all.points.judged.push_back(shapes_the_roofline(section, curve));
    }
  }
  return all;
}

// Of the folds one after another. Curves of none of them inform nobody: the model of all, which
// they are not in, is theirs.
std::size_t fold_number(const Informing& informing, const ModelShape& fold) {
  const auto found = std::lower_bound(informing.folds.begin(), informing.folds.end(), fold);
  const bool known = found != informing.folds.end() && *found == fold;
  return static_cast<std::size_t>(
      std::distance(informing.folds.begin(), known ? found : informing.folds.end()));
}

struct LeftOut {
  std::vector<HeldOutPoint> judged, all;

  // The points of a curve, predicted by `others`.
  void add(const ExpertSection& section, const ExpertModel& others,
           const ExpertShapeCurve& curve) {
    if (!is_whole(section, curve)) return;
    for (std::size_t i = 0; i < curve.tokens.size(); ++i) {
      const ExpertPoint point = even_point(curve, curve.tokens[i], curve.seconds[i]);
      all.push_back({curve.tokens[i], others.predict(point), point.seconds});
      if (shapes_the_roofline(section, curve)) judged.push_back(all.back());
    }
  }
};

void set_correction(ExpertSection& section, const Informing& informing,
                    const ResidualWeights& weights) {
  section.metric = residual_metric().name;
  for (ExpertShapeCurve& curve : section.curves) curve.weights.clear();
  for (std::size_t p = 0; p < informing.place.size(); ++p) {
    if (weights[p] == 0) continue;
    const auto [c, i] = informing.place[p];
    ExpertShapeCurve& curve = section.curves[c];
    curve.weights.resize(curve.tokens.size());
    curve.weights[i] = rounded(weights[p]);
  }
}

}  // namespace

int count_model_shapes(const ExpertSection& section) {
  std::set<ModelShape> shapes;
  for (const ExpertShapeCurve& curve : section.curves) {
    if (curve.standing == Standing::informs) shapes.insert(model_shape(curve));
  }
  return static_cast<int>(shapes.size());
}

Roofline fit_expert_roofline(const ExpertSection& section, const Device& device) {
  ExpertSection kept = section;
  kept.metric.clear();
  kept.roofline = fit_curves(kept, device);
  const ExpertModel model(kept, device);
  std::map<ModelShape, std::vector<double>> residuals;
  for (const ExpertShapeCurve& curve : section.curves) {
    for (std::size_t i = 0; i < curve.tokens.size(); ++i) {
      const ExpertPoint point = even_point(curve, curve.tokens[i], curve.seconds[i]);
      residuals[model_shape(curve)].push_back(std::log(point.seconds / model.roofline(point)));
    }
  }
  std::erase_if(kept.curves, [&](const ExpertShapeCurve& curve) {
    return is_outlier(residuals[model_shape(curve)]);
  });
  const bool some = std::any_of(kept.curves.begin(), kept.curves.end(), [&](const auto& curve) {
    return shapes_the_roofline(kept, curve);
  });
  return some ? fit_curves(kept, device) : kept.roofline;
}

void fit_correction(ExpertSection& section, const Device& device) {
  const bool by_shape = count_model_shapes(section) >= 3;
  const Informing informing = informing_points(section);
  const std::size_t folds = informing.folds.size();
  if (folds < 3) return;
  std::vector<Roofline> rooflines;  // without each fold; the last: of all
  for (const ModelShape& fold : informing.folds) {
    ExpertSection rest = section;
    std::erase_if(rest.curves, [&](const ExpertShapeCurve& curve) {
      return fold_of(curve, by_shape) == fold;
    });
    rooflines.push_back(fit_expert_roofline(rest, device));
  }
  rooflines.push_back(section.roofline);
  ExpertSection model = section;
  const auto residuals = [&](int without) {
    model.roofline =
        without < 0 ? rooflines.back() : rooflines[static_cast<std::size_t>(without)];
    const ExpertModel base(model, device);
    std::vector<double> out;
    for (const ExpertPoint& point : informing.work) {
      out.push_back(std::log(point.seconds / base.roofline(point)));
    }
    return out;
  };
  const std::vector<ResidualWeights> fitted = fit_residuals(informing.points, residuals);
  LeftOut left;
  for (std::size_t f = 0; f <= folds; ++f) {
    model.roofline = rooflines[f];
    set_correction(model, informing, fitted[f]);
    const ExpertModel others(model, device);
    for (const ExpertShapeCurve& curve : section.curves) {
      if (fold_number(informing, fold_of(curve, by_shape)) == f)
        left.add(section, others, curve);
    }
  }
  set_correction(section, informing, fitted.back());
  const std::string method = by_shape ? "one model shape left out at a time"
                                      : "one expert parallelism left out at a time";
  section.shapes_left_out = summarize_held_out(method, left.judged);
  section.all_left_out =
      summarize_held_out(method + ", judged by curves that inform no others too", left.all);
}

}  // namespace moesim
