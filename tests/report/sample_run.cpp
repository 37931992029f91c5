#include "tests/report/sample_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/base/files.hpp"
#include "sim/base/rng.hpp"
#include "tools/report/html.hpp"
#include "tools/report/result_json.hpp"

namespace moesim {

namespace {

constexpr int kGpusPerNode = 8;
const std::vector<std::string> kTenants = {"security", "assistant", "<script>alert(1)</script>",
                                           "a,\"b\" & co"};

MetricSummary metric_summary(MetricId id, double median, double spread, std::int64_t count) {
  const double p99 = median * std::exp(2.33 * spread);
  MetricSummary m{id, count, median * std::exp(spread * spread / 2), median, 0, p99, p99 * 2.1};
  m.p90 = median * std::exp(1.28 * spread);
  m.small_sample = count < kEnoughForP99;
  m.mean_interval = Interval{m.mean * 0.98, m.mean * 1.02};
  m.p50_interval = Interval{m.p50 * 0.985, m.p50 * 1.012};
  m.p99_interval = Interval{m.p99 * 0.9, m.p99 * 1.13};
  return m;
}

std::vector<MetricSummary> request_metrics(double factor, std::int64_t count) {
  return {metric_summary(MetricId::ttft, 0.42 * factor, 0.75, count),
          metric_summary(MetricId::tpot, 0.031 * factor, 0.22, count),
          metric_summary(MetricId::itl, 0.03 * factor, 0.3, 500 * count),
          metric_summary(MetricId::e2el, 15.2 * factor, 0.55, count),
          metric_summary(MetricId::queue_time, 0.08 * factor, 1.4, count)};
}

CauseSeconds causes(double latency, double straggling) {
  CauseSeconds c;
  c[Cause::queueing] = 0.11 + straggling;
  c[Cause::attention] = 0.2;
  c[Cause::attention_straggler] = 0.03;
  c[Cause::dense] = 0.06;
  c[Cause::dispatch] = 0.13;
  c[Cause::expert] = 0.22;
  c[Cause::expert_straggler] = 0.08 + straggling / 2;
  c[Cause::combine] = 0.12;
  c[Cause::host] = 0.05;
  c[Cause::rebalancing] = straggling / 20;
  c[Cause::fault] = straggling / 10;
  const double sum = c.sum();
  for (double& seconds : c.of) seconds *= latency / sum;
  return c;
}

BlameReport blame(MetricId metric, double share, double latency, double straggling) {
  BlameReport b;
  b.metric = metric;
  b.slowest_share = share;
  b.requests = static_cast<std::int64_t>(144'000 * share);
  b.latency = Seconds{latency};
  b.seconds = causes(latency, straggling);
  for (int i = 0; i < 5; ++i) {
    const Seconds waited{latency * 0.02 / (1 + i)};
    b.gpus.push_back({GpuId(37 * i + 3), waited});
    b.layers.push_back({LayerId((11 * i + 31) % 58), waited});
    b.experts.push_back({LayerId((11 * i + 31) % 58), ExpertId((53 * i + 17) % 256), waited});
    b.links.push_back({LinkId(5 * i + 1), waited});
  }
  return b;
}

GpuResult gpu(int i, Stream& random) {
  GpuResult g;
  g.name = fmt::format("node{}.gpu{}", i / kGpusPerNode, i % kGpusPerNode);
  g.node = i / kGpusPerNode;
  g.load = std::exp(0.18 * random.normal());
  g.utilization = std::min(0.97, 0.46 * g.load);
  g.attention = Seconds{700};
  g.dense = Seconds{180};
  g.expert = Seconds{900 * g.load};
  g.network = Seconds{640};
  g.host = Seconds{140};
  g.waiting = Seconds{1040 - 900 * (g.load - 1)};
  g.expert_tokens = 4.1e8 * g.load;
  g.memory = Bytes{118e9};
  return g;
}

LinkResult link(const std::string& name, const char* kind, double bandwidth, double use) {
  return {name,
          kind,
          BytesPerSecond{bandwidth},
          Bytes{bandwidth * use * 3600},
          use,
          BytesPerSecond{bandwidth * std::min(0.92, 2.1 * use)}};
}

std::vector<LinkResult> links(int nodes, Stream& random) {
  std::vector<LinkResult> out;
  for (int n = 0; n < nodes; ++n) {
    for (int g = 0; g < kGpusPerNode; ++g) {
      const double use = 0.24 * std::exp(0.2 * random.normal());
      out.push_back(link(fmt::format("node{}.nic{} -> leaf{}", n, g, g), "nic", 50e9, use));
    }
  }
  for (int l = 0; l < kGpusPerNode; ++l) {
    const double use = 0.3 * std::exp(0.25 * random.normal());
    out.push_back(link(fmt::format("leaf{} -> spine{}", l, l % 4), "leaf_spine", 400e9, use));
  }
  return out;
}

// Load of an expert over the mean of its layer: lognormal, U-shaped over depth, a few dead.
double expert_load(double depth, Stream& random) {
  const double sigma = 0.43 + 3.2 * (depth - 0.5) * (depth - 0.5);
  if (random.uniform() < 0.0015) return 0;
  return std::exp(sigma * random.normal() - sigma * sigma / 2);
}

GridAxis numbered(const char* name, int size) {
  return {name, "", static_cast<std::size_t>(size), 0, 1, {}};
}

GridAxis time_axis(Seconds lasts, int bins) {
  return {"time", "s", static_cast<std::size_t>(bins), 0, lasts.value / bins, {}};
}

double surge(double t, Seconds lasts) {
  const double part = t / lasts.value;
  return part > 0.5 && part < 0.58 ? 1.0 : 0.0;
}

Grid phase_grid(int layers, double scale, Stream& random) {
  const std::vector<std::string> names = {
      "attention", "attention_straggler", "dense",   "dispatch",
      "expert",    "expert_straggler",    "combine", "host"};
  const std::vector<double> typical = {96e-6, 11e-6, 22e-6, 74e-6, 118e-6, 46e-6, 82e-6, 0};
  Grid grid{{"layer", "", static_cast<std::size_t>(layers) + 1, 0, 1, {}},
            {"phase", "", names.size(), 0, 1, names},
            "time per step",
            "s",
            {}};
  for (int l = 0; l < layers; ++l) {
    grid.rows.labels.push_back(std::to_string(l + 3));
    const double depth = static_cast<double>(l) / layers;
    for (std::size_t p = 0; p < names.size(); ++p) {
      const double skew = p == 5 ? 1 + 6 * (depth - 0.5) * (depth - 0.5) : 1;
      grid.values.push_back(typical[p] * scale * skew * (1 + 0.06 * random.normal()));
    }
  }
  grid.rows.labels.emplace_back("other");
  for (std::size_t p = 0; p < names.size(); ++p) {
    grid.values.push_back(p + 1 == names.size() ? 1.9e-3 : 0);
  }
  return grid;
}

Cdf lognormal_cdf(const char* name, const std::string& tenant, double median, double spread) {
  Stream random(7, name);
  std::vector<double> values(20'000);
  for (double& v : values) v = median * std::exp(spread * random.normal());
  Cdf cdf = cdf_of(name, std::move(values));
  cdf.tenant = tenant;
  return cdf;
}

Track track(const char* name, const char* label, const char* unit, Seconds lasts, double base,
            double by_surge, double noise) {
  Stream random(11, name);
  Track t{name, label, unit, Seconds{0}, lasts / 720, {}};
  double level = 0;
  for (int i = 0; i < 720; ++i) {
    level = 0.9 * level + 0.1 * surge(t.bin.value * i, lasts);
    t.values.push_back(std::max(0.0, base * (1 + noise * random.normal()) + by_surge * level));
  }
  return t;
}

PlacementMap placement(const SampleSize& size, const Grid& experts) {
  PlacementMap map;
  map.gpus = static_cast<std::size_t>(size.nodes * kGpusPerNode);
  map.gpus_per_node = kGpusPerNode;
  map.experts = static_cast<std::size_t>(size.experts);
  map.slots = 2 * map.experts <= map.gpus ? 1 : (map.experts + map.gpus - 1) / map.gpus + 1;
  const std::size_t slots = map.gpus * map.slots;
  Stream random(5, "placement");
  for (int l = 0; l < size.layers; ++l) {
    map.layers.push_back(l + 3);
    // Every expert once; each further slot to the expert with the most load per replica. Then
    // shuffled over the GPUs.
    std::vector<int> held;
    std::vector<int> replicas(map.experts, 1);
    for (int e = 0; e < size.experts; ++e) held.push_back(e);
    const auto column = static_cast<std::size_t>(l);
    while (held.size() < slots) {
      std::size_t hottest = 0;
      const auto share = [&](std::size_t e) { return experts.at(e, column) / replicas[e]; };
      for (std::size_t e = 1; e < map.experts; ++e) {
        if (share(e) > share(hottest)) hottest = e;
      }
      ++replicas[hottest];
      held.push_back(static_cast<int>(hottest));
    }
    for (std::size_t s = slots; s > 1; --s) std::swap(held[s - 1], held[random.below(s)]);
    for (const int e : held) {
      const double load = experts.at(static_cast<std::size_t>(e), column);
      map.expert.push_back(e);
      map.load.push_back(load / replicas[static_cast<std::size_t>(e)] *
                         static_cast<double>(slots) / size.experts);
    }
  }
  return map;
}

}  // namespace

Result sample_result(const SampleSize& size) {
  Stream random(1, "sample result");
  Result r;
  r.version = "0.1.0";
  r.scenario = "hot tenant";
  r.seed = 1;
  r.model = "deepseek-v3";
  r.cluster = fmt::format("{} x hgx-h200", size.nodes);
  r.gpu_count = size.nodes * kGpusPerNode;
  r.steps = 114'000;
  r.provenance = {
      {"expert kernels", Provenance::measured, "h200-sxm/sglang", 0.018},
      {"attention kernels", Provenance::interpolated, "h200-sxm/sglang", 0.034},
      {"dispatch and combine", Provenance::extrapolated, "DeepEP tables, 64 ranks", 0.07},
      {"router skew", Provenance::measured, "deepseek-v3", 0},
      {"prices", Provenance::assumed, "scenarios/systems/hgx-h200.toml", 0}};
  r.summary.requests = {144'000, 143'720, 220, 60, 0, 812, 2'000};
  r.summary.metrics = request_metrics(1, 143'720);
  r.summary.metrics.push_back(metric_summary(MetricId::step_time, 0.0305, 0.2, 114'000));
  r.summary.metrics.push_back(metric_summary(MetricId::dispatch_time, 0.0043, 0.3, 114'000));
  r.summary.metrics.push_back(metric_summary(MetricId::expert_time, 0.0093, 0.25, 114'000));
  r.summary.metrics.push_back(metric_summary(MetricId::combine_time, 0.0048, 0.3, 114'000));
  r.summary.throughput = {Seconds{3590}, PerSecond{40}, TokensPerSecond{20'480},
                          TokensPerSecond{102'400}, PerSecond{36.2}};
  r.summary.slo = {{"ttft_p99", Seconds{2}, Seconds{2.41}, false},
                   {"tpot_p99", Seconds{0.06}, Seconds{0.0518}, true},
                   {"e2el_p90", Seconds{40}, Seconds{30.8}, true}};
  for (std::size_t t = 0; t < kTenants.size(); ++t) {
    const auto count = static_cast<std::int64_t>(60'000 / (t * t + 1));
    TenantSummary tenant{
        kTenants[t], {}, request_metrics(1 + 0.3 * static_cast<double>(t), count)};
    tenant.requests.arrived = tenant.requests.finished = count;
    r.summary.tenants.push_back(tenant);
  }
  r.utilization = {0.46, 0.25, 0.24, 0.19, 0.31};
  r.notes = {"The first 2,000 requests are warm-up and not counted."};
  r.balance = {0.74, 0.52, 0.93, 0.0, 0.0, 0.0015, 1.08};
  r.memory = {Bytes{141e9}, Bytes{21.4e9}, Bytes{92e9}, Bytes{71e9}, Bytes{6.2e9}};
  r.cost = {256, Dollars{896}, Dollars{12.1}, Dollars{2.4}, Joules{5.9e8}, Joules{8.0}};
  for (int i = 0; i < r.gpu_count; ++i) r.gpus.push_back(gpu(i, random));
  r.links = links(size.nodes, random);
  r.blame = {blame(MetricId::e2el, 0.01, 44.0, 0.4), blame(MetricId::ttft, 0.01, 2.9, 2.0),
             blame(MetricId::tpot, 0.01, 0.056, 0.1)};
  r.phases = {blame(MetricId::e2el, 1, 17.7, 0), blame(MetricId::ttft, 1, 0.55, 0.2),
              blame(MetricId::tpot, 1, 0.032, 0)};
  return r;
}

ReportSeries sample_series(const SampleSize& size) {
  Stream random(2, "sample series");
  const int gpus = size.nodes * kGpusPerNode;
  ReportSeries s;
  s.phases_step = phase_grid(size.layers, 1, random);
  s.phases_prefill = phase_grid(size.layers, 3.4, random);
  s.phases_decode = phase_grid(size.layers, 0.82, random);
  s.cdfs = {lognormal_cdf("ttft", "", 0.42, 0.75), lognormal_cdf("tpot", "", 0.031, 0.22),
            lognormal_cdf("e2el", "", 15.2, 0.55)};
  for (std::size_t t = 0; t < kTenants.size(); ++t) {
    const double factor = 1 + 0.3 * static_cast<double>(t);
    s.cdfs.push_back(lognormal_cdf("ttft", kTenants[t], 0.42 * factor, 0.7));
  }

  const int bins = 180;
  s.gpu_time = {numbered("GPU", gpus), time_axis(size.lasts, bins), "utilization", "ratio", {}};
  for (int g = 0; g < gpus; ++g) {
    const double level = 0.46 * std::exp(0.18 * random.normal());
    for (int b = 0; b < bins; ++b) {
      const double t = size.lasts.value * b / bins;
      const bool down = g / kGpusPerNode == 5 && b > 120 && b < 136;
      const double use = level * (0.9 + 0.25 * std::sin(t / 500)) + 0.25 * surge(t, size.lasts);
      s.gpu_time.values.push_back(down ? 0
                                       : std::clamp(use + 0.04 * random.normal(), 0.0, 1.0));
    }
  }
  s.expert_layer = {numbered("expert", size.experts),
                    numbered("layer", size.layers),
                    "load over the layer's mean",
                    "ratio",
                    {}};
  s.expert_layer.columns.start = 3;
  for (int e = 0; e < size.experts; ++e) {
    for (int l = 0; l < size.layers; ++l) {
      s.expert_layer.values.push_back(
          expert_load(static_cast<double>(l) / (size.layers - 1), random));
    }
  }
  s.gpu_layer = {numbered("GPU", gpus),
                 numbered("layer", size.layers),
                 "expert load over the layer's mean",
                 "ratio",
                 {}};
  s.gpu_layer.columns.start = 3;
  for (int i = 0; i < gpus * size.layers; ++i) {
    s.gpu_layer.values.push_back(std::exp(0.22 * random.normal()));
  }
  const Result result = sample_result(size);
  const std::size_t shown = std::min<std::size_t>(24, result.links.size());
  s.link_time = {
      {"link", "", shown, 0, 1, {}}, time_axis(size.lasts, bins), "utilization", "ratio", {}};
  for (std::size_t l = 0; l < shown; ++l) {
    s.link_time.rows.labels.push_back(result.links[l].name);
    for (int b = 0; b < bins; ++b) {
      const double t = size.lasts.value * b / bins;
      s.link_time.values.push_back(
          std::clamp(0.3 + 0.3 * surge(t, size.lasts) + 0.06 * random.normal(), 0.0, 1.0));
    }
  }
  s.node_traffic = {numbered("source node", size.nodes),
                    numbered("destination node", size.nodes),
                    "bytes",
                    "bytes",
                    {}};
  for (int from = 0; from < size.nodes; ++from) {
    for (int to = 0; to < size.nodes; ++to) {
      s.node_traffic.values.push_back(from == to ? 0 : 5e12 * std::exp(0.25 * random.normal()));
    }
  }
  s.tracks = {
      track("queue", "Requests waiting", "requests", size.lasts, 12, 420, 0.3),
      track("running", "Requests in a batch", "requests", size.lasts, 610, 900, 0.04),
      track("output_tokens_per_s", "Output tokens", "tokens/s", size.lasts, 20'480, 9'000,
            0.03),
      track("input_tokens_per_s", "Input tokens", "tokens/s", size.lasts, 81'900, 60'000, 0.05),
      track("batch_tokens", "Tokens per step", "tokens", size.lasts, 3'900, 3'500, 0.06),
      track("kv_used", "KV blocks in use", "ratio", size.lasts, 0.52, 0.35, 0.01),
      track("balancedness", "Balancedness", "ratio", size.lasts, 0.75, -0.22, 0.02),
      track("router_entropy", "Router entropy", "ratio", size.lasts, 0.93, -0.05, 0.004),
      track("overflow_rate", "Overflow rate", "ratio", size.lasts, 0.002, 0.03, 0.4),
      track("power", "Power of the cluster", "W", size.lasts, 140'000, 20'000, 0.01)};
  s.marks = {{size.lasts * 0.5, size.lasts * 0.58, "surge", "security x 8"},
             {size.lasts * 0.67, size.lasts * 0.755, "fault", "node5 down"},
             {size.lasts * 0.25, size.lasts * 0.25, "rebalance", "layerwise"},
             {size.lasts * 0.62, size.lasts * 0.62, "rebalance", "layerwise"}};
  s.placement = placement(size, s.expert_layer);
  return s;
}

std::string sample_scenario() {
  return "# Every value in effect.\nname = \"hot tenant\"\nseed = 1\nrequests = 144_000\n\n"
         "[model]\npreset = \"deepseek-v3\"  # 61 layers, 58 of them MoE\nweights = \"fp8\"\n\n"
         "[cluster]\npreset = \"hgx-h200\"\nnodes = 32\nfabric = \"rail_optimized\"\n\n"
         "[placement]\nstrategy = \"eplb\"\nredundant_experts = 256\n\n"
         "[[traffic.tenant]]\nname = \"<script>alert(1)</script>\"\nshare = 0.1\n"
         "surge = { at = \"1800 s\", lasts = \"288 s\", times = 8 }\n\n"
         "[slo]\nttft_p99 = \"2 s\"\ntpot_p99 = \"60 ms\"\ne2el_p90 = \"40 s\"\n";
}

void write_sample(const std::filesystem::path& folder, const SampleSize& size) {
  std::filesystem::create_directories(folder);
  const Result result = sample_result(size);
  write_file(folder / "result.json", to_json(result));
  write_file(folder / "resolved.toml", sample_scenario());
  write_report(folder, result, sample_series(size), sample_scenario());
}

}  // namespace moesim
