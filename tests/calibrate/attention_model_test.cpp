// Attention between measured head counts, batches and lengths.
#include "calibrate/attention_model.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "calibrate/fit_attention.hpp"

using namespace moesim;

namespace {

const Device kDevice = *find_device("h200-sxm");

AttentionSection empty_section() {
  AttentionSection section;
  section.key.dtype = Dtype::bf16;
  return section;
}

double roofline(const HeadConfig& config, double batch, double tokens) {
  return AttentionModel(empty_section(), config, kDevice).predict(batch, tokens);
}

// `factor` of (batch, tokens) times the roofline.
template <class F>
AttentionCurveData curve_of(const HeadConfig& config, F&& factor) {
  AttentionCurveData curve{
      config.heads, config.kv_heads, config.head_dim, config.window, {}, {}, {}};
  curve.batch = {1, 8, 64, 512};
  curve.tokens = {16, 256, 4096};
  for (const double batch : curve.batch) {
    for (const double tokens : curve.tokens) {
      curve.seconds.push_back(roofline(config, batch, tokens) * factor(batch, tokens));
    }
  }
  return curve;
}

}  // namespace

TEST_CASE("Heads between two measured counts take the geometric mean by their logarithm") {
  // r(48) = r(32)^(1 - p) r(64)^p, p = log2(48 / 32)
  const auto constant = [](double value) { return [=](double, double) { return value; }; };
  AttentionSection section = empty_section();
  section.curves.push_back(curve_of({32, 8, 128, 0}, constant(1.2)));
  section.curves.push_back(curve_of({64, 8, 128, 0}, constant(1.6)));
  section.curves.push_back(curve_of({48, 4, 128, 0}, constant(9)));  // of other KV heads
  const HeadConfig between{48, 8, 128, 0};
  const AttentionModel model(section, between, kDevice);
  CHECK_FALSE(model.exact());
  const double p = std::log2(48.0 / 32);
  CHECK(model.predict(8, 256) ==
        Approx(roofline(between, 8, 256) * std::pow(1.2, 1 - p) * std::pow(1.6, p)));
}

TEST_CASE("Measured heads are their own, heads beyond all measured ones the nearest's") {
  const auto growing = [](double batch, double tokens) {
    return 1 + 0.01 * std::log2(batch * tokens);
  };
  AttentionSection section = empty_section();
  section.curves.push_back(curve_of({32, 8, 128, 0}, growing));
  section.curves.push_back(curve_of({64, 8, 128, 0}, growing));
  const AttentionModel own(section, {64, 8, 128, 0}, kDevice);
  CHECK(own.exact());
  CHECK(own.predict(64, 4096) ==
        Approx(roofline({64, 8, 128, 0}, 64, 4096) * growing(64, 4096)));
  const HeadConfig beyond{96, 8, 128, 0};
  const AttentionModel nearest(section, beyond, kDevice);
  CHECK_FALSE(nearest.exact());
  CHECK(nearest.predict(64, 4096) == Approx(roofline(beyond, 64, 4096) * growing(64, 4096)));
}

TEST_CASE("A fit leaves every inner batch size out in turn") {
  // One batch of four takes 1.5 times as long as its neighbours say: no other point is missed.
  std::vector<AttentionRow> rows;
  const HeadConfig config{32, 8, 128, 0};
  for (const double batch : {1.0, 2.0, 4.0, 8.0, 16.0, 32.0}) {
    for (const double tokens : {16.0, 256.0, 4096.0}) {
      AttentionRow row;
      row.key.dtype = Dtype::bf16;
      row.config = config;
      row.batch = batch;
      row.tokens = tokens;
      row.seconds = roofline(config, batch, tokens) * (batch == 4 ? 1.5 : 1.0);
      rows.push_back(row);
    }
  }
  const auto sections = fit_attention_sections(rows, kDevice);
  REQUIRE(sections.size() == 1);
  CHECK(sections[0].curves.at(0).batch.size() == 6);
  CHECK(sections[0].points_left_out.all.points == 4 * 3);
  CHECK(sections[0].points_left_out.all.p90 > 0.3);
}
