#include "calibrate/fit_skew.hpp"

#include <cmath>
#include <map>
#include <optional>
#include <tuple>

#include "calibrate/expert_model.hpp"
#include "calibrate/power_law.hpp"

namespace moesim {

namespace {

using CurveId = std::tuple<int, int, int, int>;  // hidden, intermediate, experts, top_k

CurveId id_of(const ExpertShapeCurve& curve) {
  return {curve.hidden, curve.intermediate, curve.experts, curve.top_k};
}

// "power_law_1.2" -> 1.2; NaN for other names.
double exponent_of(const std::string& distribution) {
  constexpr std::string_view kPrefix = "power_law_";
  if (!distribution.starts_with(kPrefix)) return NAN;
  return parse_number(std::string_view(distribution).substr(kPrefix.size()));
}

struct Sample {
  double tokens_per_expert, imbalance, factor;
};

// Loads drawn anew in every row of the published tables scatter more than stated ones.
constexpr std::size_t kFewestDrawn = 8, kFewestStated = 3;

// The row's load: as it states, or as its power law makes; nothing for an even one.
std::optional<UnevenLoad> load_of(const ExpertRow& row) {
  if (row.distribution == "balanced" || row.distribution == "uniform") return std::nullopt;
  if (row.active > 0 && row.most_loaded > 0) {
    UnevenLoad load;
    load.active = row.active;
    load.most_loaded = row.most_loaded;
    return load;
  }
  const double alpha = exponent_of(row.distribution);
  if (std::isnan(alpha)) return std::nullopt;
  return power_law_load(row.tokens, row.top_k, row.experts, alpha);
}

}  // namespace

std::vector<SkewPoint> fit_skew(const ExpertSection& section,
                                const std::vector<ExpertRow>& rows, const Device& device) {
  std::map<CurveId, const ExpertShapeCurve*> curves;
  for (const ExpertShapeCurve& curve : section.curves) {
    if (curve.parallel == 1 && curve.slices <= 4) curves[id_of(curve)] = &curve;
  }
  const ExpertModel model(section, device);
  std::map<int, std::vector<Sample>> bins;
  const auto add = [&](double mean, double most, double measured, double expected) {
    bins[static_cast<int>(std::log2(std::max(1.0, mean))) / 2].push_back(
        {mean, most / mean, measured / expected});
  };
  std::size_t fewest = kFewestDrawn;
  for (const ExpertRow& row : rows) {
    const auto load = load_of(row);
    if (!load || row.gated != section.gated || row.key.kernel != section.key.kernel ||
        row.key.dtype != section.key.dtype) {
      continue;
    }
    const ExpertShapeCurve shape = shape_of(row);
    ExpertPoint uneven = even_point(shape, row.tokens, row.seconds);
    if (row.parallel > 1) {
      // The most loaded rank is timed.
      if (!curves.empty()) continue;  // a section with plain lanes is judged by them
      const RankLoad rank = power_law_rank_load(row.tokens, row.top_k, row.experts,
                                                row.parallel, exponent_of(row.distribution));
      uneven.assignments = rank.assignments;
      uneven.active = rank.active;
      add(rank.assignments / rank.active, rank.most_loaded, row.seconds, model.predict(uneven));
      continue;
    }
    const auto curve = curves.find(id_of(shape));
    if (curve == curves.end()) continue;
    if (row.active > 0) fewest = kFewestStated;
    const double even = model.roofline(uneven);
    uneven.active = load->active;
    add(uneven.assignments / load->active, load->most_loaded, row.seconds,
        interpolate(*curve->second, row.tokens) * model.roofline(uneven) / even);
  }
  std::vector<SkewPoint> points;
  for (const auto& [bin, samples] : bins) {
    if (samples.size() < fewest) continue;
    std::vector<double> means, imbalances, factors;
    for (const Sample& sample : samples) {
      means.push_back(sample.tokens_per_expert);
      imbalances.push_back(sample.imbalance);
      factors.push_back(sample.factor);
    }
    points.push_back({quantile(means, 0.5), quantile(imbalances, 0.5), quantile(factors, 0.5)});
  }
  return points;
}

}  // namespace moesim
