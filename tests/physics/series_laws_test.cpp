// What the report draws adds up to what the run recorded.
#include <catch2/catch.hpp>

#include <numeric>

#include "tests/physics/runs.hpp"

using namespace moesim;

namespace {

double sum_of(const Grid& grid) {
  return std::accumulate(grid.values.begin(), grid.values.end(), 0.0);
}

const std::vector<std::vector<std::string>> kKinds{
    {},
    {"serving.tp=2"},
    {"cluster.nodes=2", "model.experts=16"},
    {"cluster.nodes=2", "model.experts=16", "serving.overlap=two_batch"},
    {"serving.instances=2", "serving.tp=2"},
};

}  // namespace

TEST_CASE("the cells of the phases add up to the steps' times") {
  // sum over layers and phases of (mean seconds per step) x steps = time spent in steps
  for (const auto& overrides : kKinds) {
    CAPTURE(overrides);
    const auto walk = run_small(overrides);
    const Simulation& simulation = walk->simulation();
    const ReportSeries series = walk->series();
    double busy = 0;
    std::int64_t steps = 0;
    std::int64_t prompt_steps = 0;
    for (int i = 0; i < simulation.instances(); ++i) {
      busy += simulation.instance(i).busy().value;
      steps += simulation.instance(i).steps();
      prompt_steps += simulation.instance(i).model().phases().steps(true);
    }
    const double whole = sum_of(series.phases_step) * static_cast<double>(steps);
    CHECK(whole == Approx(busy).epsilon(1e-9));
    const double apart =
        sum_of(series.phases_prefill) * static_cast<double>(prompt_steps) +
        sum_of(series.phases_decode) * static_cast<double>(steps - prompt_steps);
    CHECK(apart == Approx(busy).epsilon(1e-9));
  }
}

TEST_CASE("the GPU heat map holds each GPU's compute time, and never more than all of it") {
  for (const auto& overrides : kKinds) {
    CAPTURE(overrides);
    const auto walk = run_small(overrides);
    const Result result = walk->result("test");
    const Grid& grid = walk->series().gpu_time;
    REQUIRE(grid.rows.size == result.gpus.size());
    const double duration = walk->simulation().duration().value;
    for (std::size_t g = 0; g < grid.rows.size; ++g) {
      double seconds = 0;
      for (std::size_t b = 0; b < grid.columns.size; ++b) {
        const double from = grid.columns.step * static_cast<double>(b);
        CHECK(grid.at(g, b) >= 0);
        CHECK(grid.at(g, b) <= 1 + 1e-9);
        seconds += grid.at(g, b) * std::min(grid.columns.step, duration - from);
      }
      CHECK(seconds == Approx(result.gpus[g].utilization * duration).epsilon(1e-9));
    }
  }
}

TEST_CASE("a link's curve holds its bytes, and the node matrix the bytes between nodes") {
  const auto walk = run_small({"cluster.nodes=2", "model.experts=16", "requests=400"});
  const Cluster& cluster = walk->cluster();
  const LinkLedger& ledger = walk->simulation().ledger();
  const ReportSeries series = walk->series();
  const double duration = walk->simulation().duration().value;
  double nics = 0;
  for (int l = 0; l < cluster.links(); ++l) {
    const Link& link = cluster.link(LinkId{l});
    if (link.kind == LinkKind::nic) nics += ledger.bytes(LinkId{l}).value / 2;  // up and down
    for (std::size_t r = 0; r < series.link_time.rows.size; ++r) {
      if (series.link_time.rows.labels[r] != link.name) continue;
      double bytes = 0;
      for (std::size_t b = 0; b < series.link_time.columns.size; ++b) {
        const double from = series.link_time.columns.step * static_cast<double>(b);
        bytes += series.link_time.at(r, b) * link.bandwidth.value *
                 std::min(series.link_time.columns.step, duration - from);
      }
      CHECK(bytes == Approx(ledger.bytes(LinkId{l}).value).epsilon(1e-9));
    }
  }
  // One layer of each step stands for all of them.
  CHECK(sum_of(series.node_traffic) == Approx(nics).epsilon(0.05));
}

TEST_CASE("two micro-batches send the same bytes and count the same tokens as one batch") {
  const std::vector<std::string> base{"cluster.nodes=2", "model.experts=16", "requests=1"};
  auto two = base;
  two.emplace_back("serving.overlap=two_batch");
  const auto one_batch = run_small(base);
  const auto two_batch = run_small(two);
  const auto bytes = [](const Walk& walk) {
    double sum = 0;
    for (const double b : walk.simulation().ledger().totals()) sum += b;
    return sum;
  };
  const auto tokens = [](const Walk& walk) {
    const auto& of = walk.simulation().moe(0)->totals().rank_tokens;
    return std::accumulate(of.begin(), of.end(), 0.0);
  };
  CHECK(bytes(*two_batch) == Approx(bytes(*one_batch)).epsilon(1e-9));
  CHECK(tokens(*two_batch) == Approx(tokens(*one_batch)).epsilon(1e-9));
}

TEST_CASE("the placement map holds every replica once and the layer's whole load") {
  const auto walk = run_small({"placement.redundant_experts=8", "placement.strategy=eplb"});
  const PlacementMap map = walk->series().placement;
  const std::size_t each = map.gpus * map.slots;
  REQUIRE(map.layers.size() == 32);
  for (std::size_t l = 0; l < map.layers.size(); ++l) {
    double load = 0;
    std::size_t filled = 0;
    for (std::size_t i = l * each; i < (l + 1) * each; ++i) {
      filled += map.expert[i] >= 0 ? 1 : 0;
      load += map.load[i];
    }
    CHECK(filled == 16);
    CHECK(load == Approx(static_cast<double>(each)));
  }
}
