// trace.pftrace of a run, read by a decoder that shares no code with the program.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/physics/runs.hpp"
#include "tests/report/decoded_trace.hpp"

using namespace moesim;

namespace {

struct Traced {
  std::unique_ptr<Walk> walk;
  DecodedTrace trace;
  std::uintmax_t bytes = 0;
};

Traced traced(const TraceWindow& window, const std::vector<std::string>& overrides) {
  Traced out;
  out.walk = std::make_unique<Walk>(small_scenario(overrides), [](Cluster& cluster) {
    return make_analytic_machine(cluster);
  });
  out.walk->trace_steps(window);
  out.walk->run([](double, Seconds) { return true; });
  const auto path = std::filesystem::temp_directory_path() /
                    ("moesim_timeline_test." + std::to_string(::getpid()));
  out.walk->trace()->write(path);
  out.trace = decode_trace(path);
  out.bytes = std::filesystem::file_size(path);
  std::filesystem::remove(path);
  INFO(out.trace.text.substr(0, 2000));
  REQUIRE(out.trace.status == 0);  // valid protobuf, and its slices nest
  return out;
}

constexpr TraceWindow kAll{.from = Seconds{0}, .lasts = Seconds{1e9}, .max_bytes = 1 << 28};

const std::vector<std::vector<std::string>> kKinds{
    {"requests=60"},
    {"requests=60", "serving.tp=2"},
    {"requests=60", "serving.tp=2", "serving.instances=2"},
    {"requests=60", "cluster.nodes=2", "model.experts=16"},
    {"requests=60", "cluster.nodes=2", "model.experts=16", "serving.overlap=two_batch"},
};

struct Phase {
  const char* name;
  std::vector<Cause> causes;
};
const std::vector<Phase> kPhases{
    {"attention", {Cause::attention, Cause::attention_straggler}},
    {"collective", {Cause::collective}},
    {"dense", {Cause::dense}},
    {"dispatch", {Cause::dispatch}},
    {"experts", {Cause::expert, Cause::expert_straggler}},
    {"combine", {Cause::combine}},
    {"host", {Cause::host}},
};

// Seconds of a phase over all steps of an instance, from the phase breakdown.
double seconds_of(const Phase& phase, const PhaseTotals& totals) {
  double sum = 0;
  for (const bool prefill : {false, true}) {
    for (const CauseSeconds& row : totals.rows(prefill)) {
      for (const Cause cause : phase.causes) sum += row[cause];
    }
  }
  return sum;
}

}  // namespace

TEST_CASE("on every GPU the slices of a phase add up to the phase breakdown") {
  for (const auto& overrides : kKinds) {
    CAPTURE(overrides);
    const Traced run = traced(kAll, overrides);
    const Simulation& simulation = run.walk->simulation();
    CHECK(run.walk->trace()->steps_left_out() == 0);
    const Cluster& cluster = run.walk->cluster();
    for (int g = 0; g < cluster.gpus(); ++g) {
      int i = 0;
      while (g >= simulation.first_gpu(i).value + simulation.pool(i).parallel.gpus) ++i;
      const std::string name =
          cluster.graph().vertices[cluster.place(GpuId{g}).vertex.index()].name;
      CAPTURE(name);
      const auto& on = run.trace.seconds_on.at(name);
      CHECK(run.trace.count_on.at(name).at("step") == simulation.instance(i).steps());
      CHECK(on.at("step") == Approx(simulation.instance(i).busy().value).epsilon(1e-9));
      for (const Phase& phase : kPhases) {
        const double expected = seconds_of(phase, simulation.instance(i).model().phases());
        const auto found = on.find("step/" + std::string(phase.name));
        CAPTURE(phase.name);
        CHECK((found == on.end() ? 0.0 : found->second) == Approx(expected).epsilon(1e-9));
      }
    }
  }
}

TEST_CASE("the critical path's slices add up to the same, and to the steps") {
  for (const auto& overrides : kKinds) {
    CAPTURE(overrides);
    const Traced run = traced(kAll, overrides);
    const Simulation& simulation = run.walk->simulation();
    double busy = 0;
    for (int i = 0; i < simulation.instances(); ++i) {
      busy += simulation.instance(i).busy().value;
    }
    const auto& on = run.trace.seconds_on.at("critical path");
    double phases = 0;
    for (const auto& [name, seconds] : on) phases += name == "step" ? 0 : seconds;
    CHECK(on.at("step") == Approx(busy).epsilon(1e-9));
    CHECK(phases == Approx(busy).epsilon(1e-9));
  }
}

TEST_CASE("what a GPU computes inside the phases is its own compute time") {
  for (const auto& overrides : kKinds) {
    CAPTURE(overrides);
    const Traced run = traced(kAll, overrides);
    for (const GpuResult& gpu : run.walk->result("test").gpus) {
      CAPTURE(gpu.name);
      const auto& on = run.trace.seconds_on.at(gpu.name);
      CHECK(on.at("step/attention/computes") == Approx(gpu.attention.value).epsilon(1e-6));
      CHECK(on.at("step/experts/computes") == Approx(gpu.expert.value).epsilon(1e-6));
      CHECK(on.at("step/dense/computes") == Approx(gpu.dense.value).epsilon(1e-6));
    }
  }
}

TEST_CASE("a request's flow begins at its arrival and passes one step per token") {
  // A prompt that fits into one step yields the first token; every other step yields one more.
  const Traced run = traced(kAll, {"requests=60"});
  const auto& records = run.walk->simulation().recorder().records();
  REQUIRE(run.trace.flow_slices.size() == records.size());
  for (std::size_t r = 0; r < records.size(); ++r) {
    CAPTURE(r);
    const std::string flow = std::to_string(r + 1);
    CHECK(run.trace.flow_from.at(flow) == "arrives");
    CHECK(run.trace.flow_slices.at(flow) == 1 + records[r].output_tokens);
  }
}

TEST_CASE("the use of links lies between none and all of them, and is seen where bytes go") {
  const Traced run = traced(kAll, kKinds[3]);
  const Walk& walk = *run.walk;
  int used = 0;
  for (int l = 0; l < walk.cluster().links(); ++l) {
    const Link& link = walk.cluster().link(LinkId{l});
    if (link.kind != LinkKind::nic) continue;
    CAPTURE(link.name);
    const double most = run.trace.most.at(link.name);
    CHECK(most <= 100 * (1 + 1e-9));
    CHECK((most > 0) == (walk.simulation().ledger().bytes(LinkId{l}).value > 0));
    used += most > 0 ? 1 : 0;
  }
  CHECK(used > 0);
}

TEST_CASE("a window holds the steps that begin in it, and no others") {
  const TraceWindow window = parse_trace_window("2s:2500ms");
  CHECK(window.from == Seconds{2});
  CHECK(window.lasts.value == Approx(0.5));
  const Traced all = traced(kAll, {"requests=60"});
  const Traced some = traced(window, {"requests=60"});
  const int steps = some.trace.count_on.at("node0.gpu0").at("step");
  CHECK(steps > 3);
  CHECK(steps < all.trace.count_on.at("node0.gpu0").at("step") / 2);
  CHECK(some.trace.seconds_on.at("node0.gpu0").at("step") <= 0.55);
  CHECK(traced({.from = Seconds{1e6}, .lasts = Seconds{1}}, {"requests=60"}).bytes < 200);
  for (const char* wrong : {"2s", "3s:2s", "2s:2s", "2s:3 apples", ":", "-2s:1s"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(parse_trace_window(wrong), InputError);
  }
}

TEST_CASE("a timeline keeps to its size: whole steps, and it says how many are not there") {
  const TraceWindow window{.from = Seconds{0}, .lasts = Seconds{1e9}, .max_bytes = 200'000};
  const Traced run = traced(window, {"requests=60"});
  const std::int64_t steps = run.walk->simulation().instance(0).steps();
  CHECK(run.bytes <= 200'000);
  CHECK(run.walk->trace()->steps_left_out() > 0);
  const auto& on = run.trace.seconds_on.at("node0.gpu7");
  const int kept = run.trace.count_on.at("node0.gpu7").at("step");
  CHECK(kept + run.walk->trace()->steps_left_out() == steps);
  double phases = 0;
  for (const auto& [name, seconds] : on) {
    if (name != "step" && name.find("computes") == std::string::npos) phases += seconds;
  }
  CHECK(phases == Approx(on.at("step")).epsilon(1e-9));
}
