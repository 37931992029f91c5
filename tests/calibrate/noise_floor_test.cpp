// What the measurements' own scatter leaves, on curves whose scatter is known and on the tables
// of what was measured twice.
#include "calibrate/noise_floor.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "calibrate/expert_model.hpp"
#include "calibrate/profiles.hpp"
#include "calibrate/table.hpp"
#include "sim/base/rng.hpp"
#include "tests/calibrate/tables.hpp"

using namespace moesim;
using namespace moesim::tests;

namespace {

const Device kDevice = *find_device("h200-sxm");

// 256 experts over tokens 1, 2 ... 2^14, timed exactly by the roofline times `factor` of the
// rows per expert.
template <class F>
ExpertSection section_of(F&& factor) {
  ExpertSection section;
  const ExpertModel model(section, kDevice);
  for (int shape = 0; shape < 40; ++shape) {
    ExpertShapeCurve curve;
    curve.hidden = 2048 + 64 * shape;
    curve.intermediate = 1024;
    curve.experts = 256;
    curve.top_k = 8;
    for (double tokens = 1; tokens <= 16384; tokens *= 2) {
      const ExpertPoint point = even_point(curve, tokens, 0);
      curve.tokens.push_back(tokens);
      curve.seconds.push_back(model.roofline(point) * factor(point.assignments / point.active));
    }
    section.curves.push_back(curve);
  }
  return section;
}

}  // namespace

TEST_CASE("Independent scatter of 3 % is found again from the roughness of curves") {
  // |N(0, s)| has its median at .6745 s and its ninth decile at 1.645 s.
  Stream scatter(1, "scatter");
  const ErrorSummary floor = noise_floor(
      section_of([&](double) { return std::exp(0.03 * scatter.normal()); }), kDevice);
  CHECK(floor.points > 100);
  CHECK(floor.median == Approx(0.6745 * 0.03).epsilon(0.15));
  CHECK(floor.p90 == Approx(1.645 * 0.03).epsilon(0.15));
}

TEST_CASE("A step from tile to tile is no noise") {
  const ErrorSummary floor =
      noise_floor(section_of([](double rows) { return rows > 8 ? 1.5 : 1; }), kDevice);
  CHECK(floor.points > 100);
  CHECK(floor.p90 < 1e-6);
}

TEST_CASE("Curves are less rough than two measurements of the same points differ") {
  // Two measurements differ by more than the scatter of one: versions and GPUs change too.
  if (!tables_at_hand()) return;
  const Table twice = Table::read(kTables / "fit_noise_floor_moe.csv");
  const auto cell = [&](int row, const char* name) {
    return std::string(twice.text(row, twice.column(name)));
  };
  for (int row = 0; row < twice.rows(); ++row) {
    const auto device = find_device(cell(row, "sysA"));
    if (!device || cell(row, "dist") != "balanced") continue;
    const auto profile = load_profile(std::string(device->name) + "/" + cell(row, "fwA"));
    for (const ExpertSection& section : profile->experts) {
      const ErrorSummary floor = noise_floor(section, *device);
      if (section.shapes_left_out.all.points < 400) continue;
      INFO(device->name << " " << section.key.kernel << ": " << floor.median << ", "
                        << floor.p90 << " of " << floor.points);
      CHECK(floor.points > 100);
      CHECK(floor.median < twice.number(row, twice.column("med_abs_dlog")));
      CHECK(floor.p90 < twice.number(row, twice.column("p90_abs_dlog")));
    }
  }
}
