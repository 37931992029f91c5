#include "calibrate/fit_experts.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "calibrate/expert_model.hpp"
#include "calibrate/fit_correction.hpp"
#include "calibrate/fit_skew.hpp"
#include "calibrate/shared_tactics.hpp"

namespace moesim {

namespace {

// log of how much slower (median) a curve is that ran by a default tactic, at least: as strays.
constexpr double kUntuned = 0.4;
constexpr int kWitnesses = 8;

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

// By format: the cases whose benchmark may have run them untuned.
std::map<Dtype, std::set<ExpertCase>> share_tactics_by_format(
    const std::vector<ExpertRow>& rows) {
  std::map<Dtype, std::vector<const ExpertRow*>> by_format;
  for (const ExpertRow& row : rows) by_format[row.key.dtype].push_back(&row);
  std::map<Dtype, std::set<ExpertCase>> shared;
  for (const auto& [dtype, own] : by_format) shared[dtype] = share_tactics(own);
  return shared;
}

// A version moves kernels by 4 to 21 %, and of shared tactics one cannot say whose they are.
Standing standing_of(const ExpertShapeCurve& curve, const std::set<ExpertCase>& shared) {
  const bool alone =
      curve.most_active > 0 || !curve.version.empty() || shared.contains(case_of(curve));
  return alone ? Standing::alone : Standing::informs;
}

// Do enough curves inform of about as many experts to accuse one of them?
bool is_known(const ExpertSection& section, int experts) {
  const auto like = std::count_if(
      section.curves.begin(), section.curves.end(), [&](const ExpertShapeCurve& c) {
        return c.standing == Standing::informs && !c.weights.empty() &&
               c.experts <= 2 * experts && experts <= 2 * c.experts;
      });
  return like >= kWitnesses;
}

// Of the curves in doubt, those that the others find too slow, as by another tactic.
void find_untuned(ExpertSection& section, const std::set<ExpertCase>& shared,
                  const Device& device) {
  if (section.metric.empty()) return;
  const ExpertModel model(section, device);
  for (ExpertShapeCurve& curve : section.curves) {
    if (!shared.contains(case_of(curve)) || !is_known(section, curve.experts)) continue;
    std::vector<double> slower;
    for (std::size_t i = 0; i < curve.tokens.size(); ++i) {
      const ExpertPoint point = even_point(curve, curve.tokens[i], curve.seconds[i]);
      slower.push_back(std::log(point.seconds / model.predict(point)));
    }
    if (quantile(slower, 0.5) > kUntuned) curve.standing = Standing::untuned;
  }
}

std::vector<ExpertSection> group_curves(const std::vector<ExpertRow>& rows,
                                        const std::map<Dtype, std::set<ExpertCase>>& shared) {
  using CurveId = std::tuple<ModelShape, int, int, std::string, int>;
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
      const auto same = [&, &shape = shape, &slices = slices,
                         &parallel = parallel](const auto& other) {
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
      curve.standing = standing_of(curve, shared.at(section.key.dtype));
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
                                               const std::vector<TunedBlocks>& tuned,
                                               const Device& device) {
  const auto shared = share_tactics_by_format(rows);
  std::vector<ExpertSection> sections = group_curves(rows, shared);
  for (ExpertSection& section : sections) {
    section.tuned = tuned_shapes(tuned, section.key);
    section.roofline = fit_expert_roofline(section, device);
    section.points_left_out = leave_points_out(section);
    fit_correction(section, device);
    find_untuned(section, shared.at(section.key.dtype), device);
    section.skew = fit_skew(section, rows, device);
  }
  // The best known kernel first: it is the one asked for shapes that nobody measured.
  std::stable_sort(sections.begin(), sections.end(), [](const auto& a, const auto& b) {
    return count_model_shapes(a) > count_model_shapes(b);
  });
  return sections;
}

}  // namespace moesim
