#include "sim/metrics/summary.hpp"

#include <algorithm>
#include <array>
#include <numeric>

namespace moesim {

namespace {

constexpr std::array kPerRequest{MetricId::ttft, MetricId::tpot, MetricId::e2el,
                                 MetricId::queue_time};

double mean_of(std::span<const double> v) {
  return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
}

Statistic quantile_statistic(double p) {
  return [p](std::span<const double> v) {
    std::vector<double> sorted(v.begin(), v.end());
    std::sort(sorted.begin(), sorted.end());
    return quantile_of_sorted(sorted, p);
  };
}

// The metric's values over finished requests, in order of arrival.
template <class Counted>
std::vector<double> values_of(const Recorder& recorder, MetricId id, Counted counted) {
  std::vector<double> values;
  const auto& records = recorder.records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const RequestRecord& r = records[i];
    if (r.state != RequestState::finished || !counted(RequestId(i), r)) continue;
    if (id == MetricId::tpot && r.output_tokens < 2) continue;
    values.push_back((id == MetricId::ttft   ? r.ttft()
                      : id == MetricId::tpot ? r.tpot()
                      : id == MetricId::e2el ? r.e2el()
                                             : r.queue_time())
                         .value);
  }
  return values;
}

template <class Counted>
RequestCounts count_requests(const Recorder& recorder, Counted counted) {
  RequestCounts counts;
  const auto& records = recorder.records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const RequestRecord& r = records[i];
    if (!counted(RequestId(i), r)) continue;
    ++counts.arrived;
    counts.finished += r.state == RequestState::finished;
    counts.shed += r.state == RequestState::shed;
    counts.failed += r.state == RequestState::failed;
    counts.unfinished += r.state < RequestState::finished;
    counts.preemptions += r.preemptions;
  }
  return counts;
}

Throughput throughput_of(const Recorder& recorder, const std::vector<SloTarget>& targets) {
  Throughput t;
  t.duration = recorder.window_end() - recorder.window_begin();
  if (t.duration.value <= 0) return t;
  std::int64_t finished = 0;
  std::int64_t good = 0;
  for (const RequestRecord& r : recorder.records()) {
    if (r.state != RequestState::finished || r.end < recorder.window_begin()) continue;
    ++finished;
    good += is_good(r, targets);
  }
  const auto per_second = [&](std::int64_t n) {
    return static_cast<double>(n) / t.duration.value;
  };
  t.requests = PerSecond{per_second(finished)};
  t.goodput = PerSecond{per_second(good)};
  t.output_tokens = TokensPerSecond{per_second(recorder.window_output_tokens())};
  t.total_tokens =
      t.output_tokens + TokensPerSecond{per_second(recorder.window_input_tokens())};
  return t;
}

// MSER-5 also finds an end of the start in noise, so its word counts only where it matters:
// where the TTFTs that it keeps have a mean outside the interval of those that were counted.
std::int64_t suggest_warmup(const Recorder& recorder, const Summary& summary) {
  const MetricSummary* counted = summary.find(MetricId::ttft);
  if (counted == nullptr || !counted->mean_interval) return 0;
  const auto everyone = [](RequestId, const RequestRecord&) { return true; };
  const std::vector<double> all = values_of(recorder, MetricId::ttft, everyone);
  const std::size_t drop = mser5(all);
  if (static_cast<std::int64_t>(drop) <= summary.requests.warmup) return 0;
  const double kept = mean_of(std::span(all).subspan(drop));
  const bool within =
      counted->mean_interval->low <= kept && kept <= counted->mean_interval->high;
  return within ? 0 : static_cast<std::int64_t>(drop);
}

}  // namespace

std::vector<SloVerdict> judge(const Summary& summary, const std::vector<SloTarget>& targets) {
  std::vector<SloVerdict> verdicts;
  for (const SloTarget& target : targets) {
    const MetricSummary* m = summary.find(target.metric);
    SloVerdict verdict{target.name, target.limit, Seconds{0}, false};
    if (m != nullptr && m->count > 0) {
      verdict.value = Seconds{target.percentile == 0.5   ? m->p50
                              : target.percentile == 0.9 ? m->p90
                                                         : m->p99};
      verdict.met = verdict.value <= verdict.limit;
    }
    verdicts.push_back(verdict);
  }
  return verdicts;
}

MetricSummary summarize_values(MetricId id, const std::vector<double>& in_order) {
  MetricSummary s{.id = id, .count = std::ssize(in_order)};
  s.small_sample = s.count < kEnoughForP99;
  if (in_order.empty()) return s;
  std::vector<double> sorted = in_order;
  std::sort(sorted.begin(), sorted.end());
  s.mean = mean_of(in_order);
  s.p50 = quantile_of_sorted(sorted, 0.5);
  s.p90 = quantile_of_sorted(sorted, 0.9);
  s.p99 = quantile_of_sorted(sorted, 0.99);
  s.max = sorted.back();
  s.mean_interval = batch_interval(in_order, mean_of);
  s.p50_interval = batch_interval(in_order, quantile_statistic(0.5));
  s.p99_interval = batch_interval(in_order, quantile_statistic(0.99));
  return s;
}

MetricSummary summarize_sketch(MetricId id, const QuantileSketch& sketch) {
  MetricSummary s{.id = id, .count = sketch.count()};
  s.small_sample = s.count < kEnoughForP99;
  if (s.count == 0) return s;
  s.mean = sketch.mean();
  s.p50 = sketch.quantile(0.5);
  s.p90 = sketch.quantile(0.9);
  s.p99 = sketch.quantile(0.99);
  s.max = sketch.max();
  return s;
}

const MetricSummary* Summary::find(MetricId id) const {
  const auto at = std::find_if(metrics.begin(), metrics.end(),
                               [id](const MetricSummary& m) { return m.id == id; });
  return at == metrics.end() ? nullptr : &*at;
}

bool Summary::slo_met() const {
  return std::all_of(slo.begin(), slo.end(), [](const SloVerdict& v) { return v.met; });
}

Summary summarize(const Recorder& recorder, const SloOptions& slo) {
  const auto counted = [&](RequestId id, const RequestRecord&) { return recorder.counts(id); };
  const auto targets = slo_targets(slo);
  Summary summary;
  summary.requests = count_requests(recorder, counted);
  summary.requests.warmup =
      std::min<std::int64_t>(recorder.warmup_requests(), std::ssize(recorder.records()));
  for (const Metric& m : metric_catalog()) {
    const bool per_request =
        std::find(kPerRequest.begin(), kPerRequest.end(), m.id) != kPerRequest.end();
    auto s = per_request ? summarize_values(m.id, values_of(recorder, m.id, counted))
                         : summarize_sketch(m.id, recorder.pooled(m.id));
    if (s.count > 0) summary.metrics.push_back(s);
  }
  summary.throughput = throughput_of(recorder, targets);
  summary.slo = judge(summary, targets);
  for (std::size_t t = 0; t < recorder.tenants().size(); ++t) {
    const auto its = [&](RequestId id, const RequestRecord& r) {
      return recorder.counts(id) && r.tenant == static_cast<int>(t);
    };
    TenantSummary tenant{recorder.tenants()[t], count_requests(recorder, its), {}};
    for (const MetricId id : kPerRequest) {
      tenant.metrics.push_back(summarize_values(id, values_of(recorder, id, its)));
    }
    summary.tenants.push_back(std::move(tenant));
  }
  summary.suggested_warmup = suggest_warmup(recorder, summary);
  return summary;
}

}  // namespace moesim
