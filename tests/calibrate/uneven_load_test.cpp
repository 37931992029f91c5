// Uneven loads on one GPU: what the skew term and the count of active experts are worth. The
// skew term's few numbers per kernel come from these very rows; the curves do not.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <iostream>
#include <map>
#include <tuple>

#include "calibrate/cost_model.hpp"
#include "calibrate/expert_points.hpp"
#include "calibrate/power_law.hpp"
#include "calibrate/profiles.hpp"
#include "tests/calibrate/tables.hpp"

using namespace moesim;
using namespace moesim::tests;

namespace {

using Shape = std::tuple<int, int, int, int>;  // hidden, width, experts, top_k

Shape shape_id(const ExpertShapeCurve& curve) {
  return {curve.hidden, curve.intermediate, curve.experts, curve.top_k};
}

// Rows of the section's kernel under power laws, whose shape has a curve of its own.
std::vector<ExpertRow> uneven_rows(std::vector<ExpertRow> rows, const ExpertSection& section) {
  std::map<Shape, bool> known;
  for (const ExpertShapeCurve& curve : section.curves) {
    known[shape_id(curve)] = curve.standing != Standing::untuned && curve.parallel == 1 &&
                             curve.slices <= 4 && curve.most_active == 0;
  }
  std::erase_if(rows, [&](const ExpertRow& row) {
    return row.key != section.key || row.gated != section.gated || row.parallel > 1 ||
           row.distribution == "balanced" || !usable_flag(row) ||
           !known[shape_id(shape_of(row))];
  });
  return rows;
}

struct Errors {
  std::vector<double> with, without;  // the load's unevenness
};

Errors errors_of(const std::vector<ExpertRow>& rows, const CostModel& costs) {
  std::map<Shape, ExpertCurve> curves;
  std::map<std::tuple<double, int, int, double>, RankLoad> drawn;
  Errors errors;
  for (const ExpertRow& row : rows) {
    const ExpertShapeCurve shape = shape_of(row);
    auto curve = curves.find(shape_id(shape));
    if (curve == curves.end()) {
      curve = curves
                  .emplace(shape_id(shape), costs.experts({.hidden = shape.hidden,
                                                           .intermediate = shape.intermediate,
                                                           .experts = shape.experts,
                                                           .top_k = shape.top_k,
                                                           .dtype = row.key.dtype}))
                  .first;
    }
    const double alpha = parse_number(std::string_view(row.distribution).substr(10));
    const auto [load, is_new] = drawn.try_emplace({row.tokens, row.top_k, row.experts, alpha});
    if (is_new) {
      load->second =
          power_law_load({row.tokens, static_cast<double>(row.top_k), row.experts, 1, alpha});
    }
    const auto& [assignments, active, most_loaded] = load->second;
    const auto error = [&](const ExpertLoad& as) {
      return std::abs(curve->second.time(as).value / row.seconds - 1);
    };
    const double could = std::min<double>(row.experts, assignments);
    errors.with.push_back(error({assignments, active, most_loaded}));
    errors.without.push_back(error({assignments, could, 0}));
  }
  return errors;
}

}  // namespace

TEST_CASE("Uneven loads on one GPU are priced within a twentieth, and worse as even ones") {
  if (!tables_at_hand()) return;
  for (const std::string gpu : {"h100-sxm", "h200-sxm", "b200-sxm"}) {
    std::string file = gpu;
    std::replace(file.begin(), file.end(), '-', '_');
    const auto rows = read_expert_rows(Table::read(kTables / ("moe_" + file + ".csv.gz")), gpu);
    for (const char* engine : {"sglang", "trtllm", "vllm"}) {
      const auto profile = load_profile(gpu + "/" + engine);
      // The kernel that most is known of; others share its way of being priced.
      auto own = std::make_shared<Profile>(*profile);
      std::erase_if(own->experts, [&](const ExpertSection& s) {
        return !s.gated || s.key.engine != engine || s.key.dtype != Dtype::fp8_block;
      });
      own->experts.resize(1);
      const Errors errors = errors_of(uneven_rows(rows, own->experts.front()), CostModel(own));
      REQUIRE(errors.with.size() > 500);
      const double median = quantile(errors.with, 0.5), blind = quantile(errors.without, 0.5);
      std::cout << "uneven loads, " << gpu << " " << own->experts.front().key.kernel << ": "
                << errors.with.size() << " rows, median " << 100 * median << " %, p90 "
                << 100 * quantile(errors.with, 0.9) << " %; priced as even " << 100 * blind
                << " %\n";
      CHECK(median <= 0.05);
      CHECK(median < blind);
    }
  }
}
