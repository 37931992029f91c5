#include <fmt/format.h>

#include <algorithm>

#include "tools/walk/series_parts.hpp"

namespace moesim {

namespace {

constexpr int kTenantsShown = 8;
constexpr int kAll = -1;

// Of one tenant, or of all.
void add_cdfs(const Recorder& recorder, int tenant, ReportSeries& series) {
  std::vector<double> ttft;
  std::vector<double> tpot;
  std::vector<double> e2el;
  std::vector<double> queued;
  const auto& records = recorder.records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const RequestRecord& r = records[i];
    if (r.state != RequestState::finished || !recorder.counts(RequestId{i})) continue;
    if (tenant != kAll && r.tenant != tenant) continue;
    ttft.push_back(r.ttft().value);
    e2el.push_back(r.e2el().value);
    queued.push_back(r.queue_time().value);
    if (r.output_tokens > 1) tpot.push_back(r.tpot().value);
  }
  const auto add = [&](const char* name, std::vector<double>& values) {
    if (values.empty()) return;
    series.cdfs.push_back(cdf_of(name, std::move(values)));
    if (tenant != kAll) {
      series.cdfs.back().tenant = recorder.tenants()[static_cast<std::size_t>(tenant)];
    }
  };
  add("ttft", ttft);
  add("tpot", tpot);
  add("e2el", e2el);
  if (tenant == kAll) add("queue_time", queued);
}

void add_surge(const std::string& tenant, const SurgeOptions& surge, ReportSeries& series) {
  if (surge.times == 1 || surge.lasts.value <= 0) return;
  series.marks.push_back({surge.at, surge.at + surge.lasts, "surge",
                          fmt::format("{} x {:.3g}", tenant, surge.times)});
}

}  // namespace

void collect_cdfs(const Recorder& recorder, ReportSeries& series) {
  add_cdfs(recorder, kAll, series);
  const int tenants = static_cast<int>(recorder.tenants().size());
  if (tenants < 2) return;
  for (int t = 0; t < std::min(tenants, kTenantsShown); ++t) add_cdfs(recorder, t, series);
}

void collect_marks(const Scenario& scenario, Seconds duration, ReportSeries& series) {
  for (const TenantOptions& tenant : scenario.traffic.tenants) {
    add_surge(tenant.name, tenant.surge, series);
    for (const SurgeOptions& surge : tenant.surges) add_surge(tenant.name, surge, series);
  }
  std::erase_if(series.marks, [&](const Mark& m) { return m.at > duration; });
  for (Mark& mark : series.marks) mark.until = std::min(mark.until, duration);
}

}  // namespace moesim
