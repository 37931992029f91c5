#include "calibrate/fit_skew.hpp"

#include <algorithm>
#include <cmath>
#include <map>
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

// Less says nothing about imbalance.
constexpr double kUneven = 1.5;

// Loads drawn anew in every row of the published tables scatter more than stated ones.
constexpr std::size_t kFewestDrawn = 8, kFewestStated = 3;

bool states_its_load(const ExpertRow& row) {
  return row.distribution != "balanced" && row.active > 0 && row.most_loaded > 0;
}

// Loads by the rows' law, each drawn once: many rows ask for the same.
class Drawn {
 public:
  const RankLoad& of(const ExpertRow& row, double alpha) {
    const auto [found, is_new] =
        loads_.try_emplace({row.tokens, row.top_k, row.experts, row.parallel, alpha});
    if (is_new) {
      found->second = power_law_load(
          {row.tokens, static_cast<double>(row.top_k), row.experts, row.parallel, alpha});
    }
    return found->second;
  }

 private:
  std::map<std::tuple<double, int, int, int, double>, RankLoad> loads_;
};

// Medians over a bin's uneven samples, where they are enough: ranks of one expert say nothing
// of imbalance.
SkewPoint skew_point(const std::vector<Sample>& samples, std::size_t fewest) {
  const auto is_uneven = [](const Sample& s) { return s.imbalance >= kUneven; };
  const auto uneven = std::count_if(samples.begin(), samples.end(), is_uneven);
  const bool enough = static_cast<std::size_t>(uneven) >= fewest;
  std::vector<double> means, imbalances, factors;
  for (const Sample& sample : samples) {
    if (enough && !is_uneven(sample)) continue;
    means.push_back(sample.tokens_per_expert);
    imbalances.push_back(sample.imbalance);
    factors.push_back(sample.factor);
  }
  return {quantile(means, 0.5), quantile(imbalances, 0.5), quantile(factors, 0.5)};
}

}  // namespace

std::vector<SkewPoint> fit_skew(const ExpertSection& section,
                                const std::vector<ExpertRow>& rows, const Device& device) {
  std::map<CurveId, const ExpertShapeCurve*> curves;
  for (const ExpertShapeCurve& curve : section.curves) {
    const bool whole =
        curve.parallel == 1 && curve.most_active == 0 && curve.standing != Standing::untuned;
    if (whole && curve.slices <= 4) curves[id_of(curve)] = &curve;
  }
  const ExpertModel model(section, device);
  Drawn drawn;
  std::map<int, std::vector<Sample>> bins;
  std::size_t fewest = kFewestDrawn;
  const auto add = [&](double mean, double most, double measured, double expected) {
    bins[static_cast<int>(std::log2(std::max(1.0, mean))) / 2].push_back(
        {mean, skew_imbalance(mean, most), measured / expected});
  };
  for (const ExpertRow& row : rows) {
    const double alpha = exponent_of(row.distribution);
    if ((std::isnan(alpha) && !states_its_load(row)) || row.gated != section.gated ||
        row.key.kernel != section.key.kernel || row.key.dtype != section.key.dtype) {
      continue;
    }
    const ExpertShapeCurve shape = shape_of(row);
    ExpertPoint uneven = even_point(shape, row.tokens, row.seconds);
    if (row.parallel > 1) {
      // The most loaded rank is timed.
      if (!curves.empty()) continue;    // a section with plain lanes is judged by them
      if (std::isnan(alpha)) continue;  // which rank's load it states is not said
      const RankLoad& load = drawn.of(row, alpha);
      uneven.assignments = load.assignments;
      uneven.active = load.active;
      add(load.assignments / load.active, load.most_loaded, row.seconds, model.predict(uneven));
      continue;
    }
    const auto curve = curves.find(id_of(shape));
    if (curve == curves.end()) continue;
    const bool stated = states_its_load(row);
    if (stated) fewest = kFewestStated;
    const RankLoad load =
        stated ? RankLoad{0, row.active, row.most_loaded} : drawn.of(row, alpha);
    const double even = model.roofline(uneven);
    uneven.active = load.active;
    add(uneven.assignments / uneven.active, load.most_loaded, row.seconds,
        interpolate(*curve->second, row.tokens) * model.roofline(uneven) / even);
  }
  std::vector<SkewPoint> points;
  for (const auto& [bin, samples] : bins) {
    if (samples.size() >= fewest) points.push_back(skew_point(samples, fewest));
  }
  return points;
}

}  // namespace moesim
