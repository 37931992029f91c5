// Several runs of one scenario with different seeds, as one summary.
#include <algorithm>

#include "sim/base/errors.hpp"
#include "sim/metrics/summary.hpp"

namespace moesim {

namespace {

RequestCounts operator+(RequestCounts a, const RequestCounts& b) {
  a.arrived += b.arrived;
  a.finished += b.finished;
  a.shed += b.shed;
  a.failed += b.failed;
  a.unfinished += b.unfinished;
  a.preemptions += b.preemptions;
  a.warmup += b.warmup;
  return a;
}

double mean_of(const std::vector<double>& v) {
  double sum = 0;
  for (const double x : v) sum += x;
  return sum / static_cast<double>(v.size());
}

// One metric of all runs that have it.
MetricSummary pool(MetricId id, const std::vector<const MetricSummary*>& runs) {
  MetricSummary pooled{.id = id};
  const auto figures = [&](double MetricSummary::*figure) {
    std::vector<double> values;
    for (const MetricSummary* m : runs) {
      if (m->count > 0) values.push_back(m->*figure);
    }
    return values;
  };
  for (const MetricSummary* m : runs) {
    pooled.count += m->count;
    pooled.max = std::max(pooled.max, m->max);
  }
  pooled.small_sample = pooled.count < kEnoughForP99;
  if (pooled.count == 0) return pooled;
  const auto means = figures(&MetricSummary::mean);
  const auto p50s = figures(&MetricSummary::p50);
  const auto p99s = figures(&MetricSummary::p99);
  pooled.mean = mean_of(means);
  pooled.p50 = mean_of(p50s);
  pooled.p90 = mean_of(figures(&MetricSummary::p90));
  pooled.p99 = mean_of(p99s);
  pooled.mean_interval = replication_interval(means);
  pooled.p50_interval = replication_interval(p50s);
  pooled.p99_interval = replication_interval(p99s);
  return pooled;
}

std::vector<MetricSummary> pool_metrics(
    const std::vector<const std::vector<MetricSummary>*>& runs) {
  std::vector<MetricSummary> pooled;
  for (const Metric& m : metric_catalog()) {
    std::vector<const MetricSummary*> same;
    for (const auto* metrics : runs) {
      for (const MetricSummary& s : *metrics) {
        if (s.id == m.id) same.push_back(&s);
      }
    }
    if (!same.empty()) pooled.push_back(pool(m.id, same));
  }
  return pooled;
}

Throughput pool_throughput(const std::vector<Summary>& runs) {
  Throughput sum;
  for (const Summary& run : runs) {
    sum.duration += run.throughput.duration;
    sum.requests += run.throughput.requests;
    sum.output_tokens += run.throughput.output_tokens;
    sum.total_tokens += run.throughput.total_tokens;
    sum.goodput += run.throughput.goodput;
  }
  const auto n = static_cast<double>(runs.size());
  return {sum.duration / n, sum.requests / n, sum.output_tokens / n, sum.total_tokens / n,
          sum.goodput / n};
}

}  // namespace

Summary pool_replications(const std::vector<Summary>& runs, const SloOptions& slo) {
  MOESIM_LAW(!runs.empty(), "a pooled summary needs at least one run");
  if (runs.size() == 1) return runs.front();
  Summary pooled;
  std::vector<const std::vector<MetricSummary>*> metrics;
  for (const Summary& run : runs) {
    metrics.push_back(&run.metrics);
    pooled.requests = pooled.requests + run.requests;
    pooled.suggested_warmup = std::max(pooled.suggested_warmup, run.suggested_warmup);
  }
  pooled.metrics = pool_metrics(metrics);
  pooled.throughput = pool_throughput(runs);
  pooled.slo = judge(pooled, slo_targets(slo));
  for (std::size_t t = 0; t < runs.front().tenants.size(); ++t) {
    TenantSummary tenant{runs.front().tenants[t].name, {}, {}};
    std::vector<const std::vector<MetricSummary>*> its;
    for (const Summary& run : runs) {
      MOESIM_LAW(t < run.tenants.size(), "replications have the same tenants");
      tenant.requests = tenant.requests + run.tenants[t].requests;
      its.push_back(&run.tenants[t].metrics);
    }
    tenant.metrics = pool_metrics(its);
    pooled.tenants.push_back(std::move(tenant));
  }
  return pooled;
}

}  // namespace moesim
