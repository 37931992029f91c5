// Laws of queues and of conservation: the formula first, then the run.
#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>
#include <numeric>

#include "sim/base/files.hpp"

#include "tests/physics/runs.hpp"

using namespace moesim;

namespace {

double mean_queue_time(const Recorder& recorder) {
  double sum = 0;
  for (const RequestRecord& r : recorder.records()) sum += r.queue_time().value;
  return sum / static_cast<double>(recorder.records().size());
}

double p99_queue_time(const Walk& walk) {
  return walk.result("test").summary.find(MetricId::queue_time)->p99;
}

}  // namespace

TEST_CASE("one request alone has queue time 0 and its latency is its steps") {
  const auto walk = run_small({"requests=1"});
  const RequestRecord& r = walk->simulation().recorder().records().front();
  CHECK(r.queue_time().value == 0);
  CHECK(r.state == RequestState::finished);
  CHECK(r.e2el().value == Approx(walk->simulation().instance(0).busy().value).epsilon(1e-12));
  CHECK(walk->simulation().instance(0).steps() == 32);
}

TEST_CASE("requests and tokens are conserved") {
  for (const char* batching : {"mixed", "prefill_first"}) {
    const auto walk = run_small({std::string("serving.batching=") + batching});
    const Recorder& recorder = walk->simulation().recorder();
    for (const RequestRecord& r : recorder.records()) {
      REQUIRE(r.state == RequestState::finished);
    }
    CHECK(recorder.records().size() == 200);
    CHECK(recorder.window_output_tokens() == 200 * 32);
    CHECK(recorder.window_input_tokens() == 200 * 256);
  }
}

TEST_CASE("requests and tokens are conserved however long an engine leaves its queue alone") {
  for (const char* rule :
       {"serving.receive_interval=30", "serving.rank_wait=60", "serving.batch_wait=40"}) {
    for (const char* batching : {"mixed", "prefill_first"}) {
      INFO(rule << ", " << batching);
      const auto walk = run_small(
          {rule, std::string("serving.batching=") + batching, "serving.batch_wait_ratio=0.8"});
      for (const RequestRecord& r : walk->simulation().recorder().records()) {
        REQUIRE(r.state == RequestState::finished);
      }
      CHECK(walk->simulation().recorder().window_output_tokens() == 200 * 32);
    }
  }
}

// Streaming in intervals changes what the client sees first, not what the engine does.
TEST_CASE("a first chunk of n tokens lengthens TTFT by n - 1 steps and ends nothing later") {
  const auto token = run_small({"requests=1"});
  const RequestRecord one = token->simulation().recorder().records().front();
  for (const int n : {2, 10, 31, 32, 100}) {
    INFO(n << " tokens of 32");
    const auto walk = run_small({"requests=1", "serving.first_chunk=" + std::to_string(n)});
    const RequestRecord r = walk->simulation().recorder().records().front();
    CHECK(r.end == one.end);
    const double steps = std::min(n, r.output_tokens) - 1;
    CHECK(r.ttft().value == Approx((one.ttft() + steps * one.tpot()).value).epsilon(0.01));
    CHECK(r.tpot().value * (r.output_tokens - 1) == Approx((r.end - r.first_token).value));
  }
}

TEST_CASE("a first chunk changes no request's end, whatever else happens to it") {
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{},
        {"serving.speculative_tokens=1.7"},
        {"serving.mode=disaggregated", "cluster.nodes=2", "serving.prefill.nodes=1",
         "serving.decode.nodes=1"},
        {"serving.batching=mixed", "serving.memory_fraction=0.17", "model.weights=bf16"}}) {
    INFO((more.empty() ? "plain" : more.front()));
    std::vector<std::string> chunked = more;
    chunked.emplace_back("serving.first_chunk=10");
    const auto one = run_small(more), ten = run_small(chunked);
    const auto& a = one->simulation().recorder().records();
    const auto& b = ten->simulation().recorder().records();
    for (std::size_t i = 0; i < a.size(); ++i) {
      REQUIRE(a[i].state == b[i].state);
      CHECK(a[i].end == b[i].end);
      CHECK(b[i].first_token >= a[i].first_token);
    }
  }
}

// Looked at every n decode steps, the queue makes a request wait for (n - 1) / 2 of them more
// on average, and for n - 1 at most; a scheduler with nothing to do looks at once, so that n
// above an answer's length is as good as that length.
TEST_CASE("a scheduler that looks at its queue every n decode steps lets requests wait") {
  double before = -1;
  for (const char* n : {"1", "4", "16", "64"}) {
    INFO(n << " steps");
    const std::string interval = std::string("serving.receive_interval=") + n;
    const auto alone = run_small({"requests=1", interval});
    CHECK(alone->simulation().recorder().records().front().queue_time().value == 0);
    for (const char* batching : {"mixed", "prefill_first"}) {
      const auto walk = run_small({interval, std::string("serving.batching=") + batching});
      CHECK(walk->simulation().recorder().window_output_tokens() == 200 * 32);
    }
    const auto walk = run_small(
        {interval, "serving.batching=prefill_first", "traffic.output_tokens.mean=128"});
    const double mean = mean_queue_time(walk->simulation().recorder());
    CHECK(mean >= before);
    before = mean;
  }
}

TEST_CASE("a queue with one server and fixed service times follows Pollaczek and Khinchine") {
  // M/D/1: mean wait = rho D / (2 (1 - rho)). One rank that holds one request at a time, and
  // requests of one step each: the step is the service time D.
  const std::vector<std::string> one_server{"serving.tp=8", "serving.max_batch=1",
                                            "traffic.output_tokens.mean=1", "requests=40000"};
  auto probe = one_server;
  probe.back() = "requests=1";
  const double service = run_small(probe)->simulation().instance(0).busy().value;
  for (const double load : {0.3, 0.6, 0.8}) {
    auto options = one_server;
    options.push_back("traffic.arrivals.rate=" + std::to_string(load / service));
    const auto walk = run_small(options);
    // The router draws other experts in each step, so D varies a little: M/G/1 with its cv.
    const Instance& server = walk->simulation().instance(0);
    const double mean = server.busy().value / static_cast<double>(server.steps());
    const double rho = mean * load / service;
    INFO("load " << load << ", mean service " << mean << " against " << service);
    CHECK(mean_queue_time(walk->simulation().recorder()) ==
          Approx(rho * mean / (2 * (1 - rho))).epsilon(0.06));
  }
}

TEST_CASE("Little's law holds on the queue: mean length = rate x mean wait") {
  const auto walk = run_small(
      {"serving.tp=8", "serving.max_batch=4", "requests=3000", "traffic.arrivals.rate=40"});
  const Simulation& simulation = walk->simulation();
  const auto& records = simulation.recorder().records();
  // Integral of the queue's length over time = sum of the waits.
  double length = 0;
  const Timeline& t = simulation.timeline();
  const int column = static_cast<int>(TimelineColumn::waiting);
  for (std::size_t bin = 0; bin < t.bins(); ++bin) {
    if (!t.has(column, bin)) continue;
    length += t.value(column, bin) * (t.bin_end(bin) - t.bin_begin(bin)).value;
  }
  const double waits =
      mean_queue_time(simulation.recorder()) * static_cast<double>(records.size());
  REQUIRE(waits > 1);
  CHECK(length == Approx(waits).epsilon(1e-6));
}

TEST_CASE("raising the rate never lowers the p99 queue time") {
  double before = -1;
  for (const char* rate : {"5", "20", "60", "120", "240"}) {
    const auto walk = run_small({"serving.tp=8", "serving.max_batch=8", "requests=2000",
                                 std::string("traffic.arrivals.rate=") + rate});
    const double p99 = p99_queue_time(*walk);
    CHECK(p99 >= before * 0.95);
    before = p99;
  }
}

TEST_CASE("a closed loop of one is the sum of its parts: nobody waits") {
  const auto walk = run_small({"traffic.arrivals.process=closed_loop",
                               "traffic.arrivals.concurrency=1", "requests=20"});
  double e2el = 0;
  for (const RequestRecord& r : walk->simulation().recorder().records()) {
    CHECK(r.queue_time().value == 0);
    e2el += r.e2el().value;
  }
  CHECK(e2el == Approx(walk->simulation().duration().value).epsilon(1e-9));
}

TEST_CASE("the same scenario and seed give the same records, another seed gives others") {
  const auto a = run_small();
  const auto b = run_small();
  const auto c = run_small({"seed=2"});
  const auto ends = [](const Walk& walk) {
    std::vector<double> all;
    for (const auto& r : walk.simulation().recorder().records()) all.push_back(r.end.value);
    return all;
  };
  CHECK(ends(*a) == ends(*b));
  CHECK(ends(*a) != ends(*c));
}

TEST_CASE("a replay of the same trace is exact: its arrivals, its lengths, the same records") {
  const auto file = std::filesystem::temp_directory_path() / "moesim_replay_test.csv";
  std::string rows = "arrival_s,input_tokens,output_tokens\n";
  for (int i = 0; i < 50; ++i) {
    rows += std::to_string(0.05 * i) + "," + std::to_string(100 + 7 * i) + "," +
            std::to_string(5 + i % 9) + "\n";
  }
  write_file(file, rows);
  const std::vector<std::string> options{
      "requests=50", "traffic.arrivals.process=trace", "traffic.arrivals.file=" + file.string(),
      "traffic.input_tokens.distribution=trace", "traffic.output_tokens.distribution=trace"};
  const auto a = run_small(options);
  const auto b = run_small(options);
  const auto& records = a->simulation().recorder().records();
  REQUIRE(records.size() == 50);
  for (std::size_t i = 0; i < records.size(); ++i) {
    CHECK(records[i].arrival.value == Approx(0.05 * static_cast<double>(i)).margin(1e-9));
    CHECK(records[i].input_tokens == 100 + 7 * static_cast<int>(i));
    CHECK(records[i].output_tokens == 5 + static_cast<int>(i) % 9);
    CHECK(records[i].end.value == b->simulation().recorder().records()[i].end.value);
  }
  std::filesystem::remove(file);
}
