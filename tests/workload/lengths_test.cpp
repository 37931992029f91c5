#include "sim/workload/lengths.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>

#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"
#include "sim/base/rng.hpp"
#include "sim/workload/source.hpp"
#include "sim/workload/trace.hpp"

using namespace moesim;

namespace {

struct Moments {
  double mean;
  double cv;
};

Moments moments(const LengthOptions& options, int n = 200'000) {
  const LengthSampler sampler(options, LengthColumn::input, "");
  Stream random(11, "lengths");
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < n; ++i) {
    const double x = sampler.at(random.normal(), i);
    sum += x;
    squares += x * x;
  }
  const double mean = sum / n;
  return {mean, std::sqrt(squares / n - mean * mean) / mean};
}

}  // namespace

TEST_CASE("fixed lengths are the mean") {
  CHECK(moments({.mean = Tokens{777}}).mean == Approx(777));
  CHECK(moments({.mean = Tokens{777}}).cv == Approx(0).margin(1e-6));
}

TEST_CASE("a uniform length has mean m and standard deviation m x / sqrt(3)") {
  const auto m = moments(
      {.distribution = LengthDistribution::uniform, .mean = Tokens{1000}, .spread = 0.2});
  CHECK(m.mean == Approx(1000).epsilon(0.005));
  CHECK(m.cv == Approx(0.2 / std::sqrt(3.0)).epsilon(0.01));
}

TEST_CASE("a lognormal length has its own mean and coefficient of variation") {
  const auto m =
      moments({.distribution = LengthDistribution::lognormal, .mean = Tokens{2048}, .cv = 0.8});
  CHECK(m.mean == Approx(2048).epsilon(0.01));
  CHECK(m.cv == Approx(0.8).epsilon(0.03));
}

TEST_CASE("lengths stay within their limits") {
  const LengthOptions o{.distribution = LengthDistribution::lognormal,
                        .mean = Tokens{100},
                        .cv = 3,
                        .min = Tokens{20},
                        .max = Tokens{300}};
  const LengthSampler sampler(o, LengthColumn::input, "");
  CHECK(sampler.at(-8, 0) == 20);
  CHECK(sampler.at(8, 0) == 300);
}

TEST_CASE("an empirical length has the histogram's shares") {
  const auto path = std::filesystem::temp_directory_path() /
                    ("moesim_lengths_" + std::to_string(::getpid()) + ".csv");
  write_file(path, "length,weight\n1000,1\n10,3\n");
  const LengthSampler sampler(
      {.distribution = LengthDistribution::empirical, .file = path.string()},
      LengthColumn::input, "");
  std::filesystem::remove(path);
  Stream random(1, "empirical");
  int few = 0;
  for (int i = 0; i < 40'000; ++i) few += sampler.at(random.normal(), i) == 10;
  CHECK(few / 40'000.0 == Approx(0.75).margin(0.01));
  CHECK(sampler.at(9, 0) == 1000);
}

TEST_CASE("a histogram that weighs nothing or has a faulty line is refused") {
  CHECK_THROWS_AS(parse_lengths("length,weight\n", "h.csv"), InputError);
  CHECK_THROWS_AS(parse_lengths("10,0\n", "h.csv"), InputError);
  CHECK_THROWS_AS(parse_lengths("10,1\nx,y\n", "h.csv"), InputError);
  CHECK(parse_lengths("20,1\n10,1\n", "h.csv")[0].tokens == 10);
}

TEST_CASE("the copula correlates ranks: Spearman = 6/pi asin(r/2), marginals stay") {
  TrafficOptions t;
  t.arrivals.rate = PerSecond{1};
  t.input_tokens = {
      .distribution = LengthDistribution::lognormal, .mean = Tokens{2048}, .cv = 0.8};
  t.output_tokens = {
      .distribution = LengthDistribution::uniform, .mean = Tokens{10'000}, .spread = 1};
  t.length_correlation = 0.7;
  RequestSource source(t, 4, 50'000);
  std::vector<double> input;
  std::vector<double> output;
  while (const auto r = source.next()) {
    input.push_back(r->input_tokens);
    output.push_back(r->output_tokens);
  }
  const auto ranks = [](const std::vector<double>& v) {
    std::vector<std::size_t> order(v.size());
    for (std::size_t i = 0; i < v.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return v[a] < v[b]; });
    std::vector<double> rank(v.size());
    for (std::size_t i = 0; i < v.size(); ++i) rank[order[i]] = static_cast<double>(i);
    return rank;
  };
  const auto a = ranks(input);
  const auto b = ranks(output);
  const auto n = static_cast<double>(a.size());
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]);
  const double spearman = 1 - 6 * squares / (n * (n * n - 1));
  CHECK(spearman == Approx(6 / M_PI * std::asin(0.35)).margin(0.01));
  double sum = 0;
  for (const double x : output) sum += x;
  CHECK(sum / n == Approx(10'000).epsilon(0.01));
}
