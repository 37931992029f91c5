#include "sim/workload/source.hpp"

#include <algorithm>
#include <cmath>

#include "sim/workload/check.hpp"

namespace moesim {

namespace {

std::vector<SurgeOptions> all_surges(const TenantOptions& tenant) {
  std::vector<SurgeOptions> all = tenant.surges;
  all.push_back(tenant.surge);
  return all;
}

double surge_factor(const TenantOptions& tenant, Seconds at) {
  double factor = 1;
  for (const SurgeOptions& s : all_surges(tenant)) {
    if (s.at <= at && at < s.at + s.lasts) factor *= s.times;
  }
  return factor;
}

std::uint64_t prefix_of(int tenant, std::uint64_t which) {
  return static_cast<std::uint64_t>(tenant) << 32 | which;
}

}  // namespace

RequestSource::RequestSource(const TrafficOptions& traffic, std::uint64_t seed,
                             std::int64_t count)
    : arrivals_(traffic.arrivals),
      correlation_(traffic.length_correlation),
      count_(count),
      tenants_(traffic.tenants),
      choice_(seed, "workload.tenant") {
  Diagnostics found;
  check(traffic, found);
  found.throw_if_errors();
  if (tenants_.empty()) tenants_.emplace_back();
  if (arrivals_.process == ArrivalProcess::trace) {
    take_trace(traffic);
  } else {
    open_tenants(traffic, seed);
  }
}

void RequestSource::open_tenants(const TrafficOptions& traffic, std::uint64_t seed) {
  double shares = 0;
  for (const TenantOptions& t : tenants_) shares += t.share;
  const auto sampler = [&](const LengthOptions& o, LengthColumn column) {
    return std::make_shared<const LengthSampler>(o, column, arrivals_.file);
  };
  const auto input = sampler(traffic.input_tokens, LengthColumn::input);
  const auto output = sampler(traffic.output_tokens, LengthColumn::output);
  for (std::size_t i = 0; i < tenants_.size(); ++i) {
    const TenantOptions& t = tenants_[i];
    states_.push_back(
        {RateClock(arrivals_.rate * (t.share / shares), arrivals_.curve, arrivals_.period,
                   all_surges(t)),
         Stream(seed, "workload.gaps", i), Stream(seed, "workload.input_tokens", i),
         Stream(seed, "workload.output_tokens", i), Stream(seed, "workload.prefix", i),
         t.input_tokens ? sampler(*t.input_tokens, LengthColumn::input) : input,
         t.output_tokens ? sampler(*t.output_tokens, LengthColumn::output) : output});
    if (!closed_loop()) schedule(static_cast<int>(i));
  }
}

// The trace's tenants are those of the options with the same name, or new ones.
void RequestSource::take_trace(const TrafficOptions& traffic) {
  trace_ = read_trace(traffic.arrivals.file);
  std::vector<int> index;
  for (const std::string& name : trace_.tenants) {
    const auto at = std::find_if(tenants_.begin(), tenants_.end(),
                                 [&](const TenantOptions& t) { return t.name == name; });
    index.push_back(static_cast<int>(at - tenants_.begin()));
    if (at == tenants_.end()) {
      tenants_.emplace_back();
      tenants_.back().name = name;
      tenants_.back().share = 0;
    }
  }
  for (TraceRow& row : trace_.rows) {
    row.tenant = row.tenant < 0 ? 0 : index[static_cast<std::size_t>(row.tenant)];
  }
}

// Gaps of a process of rate 1; the tenant's clock turns them into times.
double RequestSource::events_to_next(Tenant& tenant) {
  switch (arrivals_.process) {
    case ArrivalProcess::gamma: {
      const double shape = 1 / (arrivals_.cv * arrivals_.cv);
      return tenant.gaps.gamma(shape, 1 / shape);
    }
    case ArrivalProcess::uniform:
      return 1;
    default:
      return tenant.gaps.exponential(1);
  }
}

void RequestSource::schedule(int tenant) {
  const double time =
      states_[static_cast<std::size_t>(tenant)]
          .clock.after(events_to_next(states_[static_cast<std::size_t>(tenant)]))
          .value;
  if (!std::isfinite(time)) return;
  due_.push_back({time, tenant});
  std::push_heap(due_.begin(), due_.end());
}

Request RequestSource::make(Seconds at, int tenant) {
  Tenant& t = states_[static_cast<std::size_t>(tenant)];
  const TenantOptions& o = tenants_[static_cast<std::size_t>(tenant)];
  const double input = t.input_scores.normal();
  const double own = t.output_scores.normal();
  const double output = correlation_ * input + std::sqrt(1 - correlation_ * correlation_) * own;
  const auto which = t.prefixes.below(static_cast<std::uint64_t>(o.prefixes));
  Request request{.id = RequestId(static_cast<std::size_t>(made_)),
                  .arrival = at,
                  .input_tokens = t.input->at(input, t.draws),
                  .output_tokens = t.output->at(output, t.draws),
                  .tenant = tenant,
                  .priority = o.priority,
                  .prefix = prefix_of(tenant, which)};
  ++t.draws;
  ++made_;
  return request;
}

int RequestSource::pick_tenant(Seconds at) {
  if (tenants_.size() == 1) return 0;
  std::vector<double> sums;
  double sum = 0;
  for (const TenantOptions& t : tenants_) sums.push_back(sum += t.share * surge_factor(t, at));
  const double point = choice_.uniform() * sum;
  const auto found = std::upper_bound(sums.begin(), sums.end(), point);
  return static_cast<int>(std::min<std::ptrdiff_t>(found - sums.begin(), std::ssize(sums) - 1));
}

std::optional<Request> RequestSource::next_of_trace() {
  if (made_ >= std::ssize(trace_.rows)) return std::nullopt;
  const TraceRow& row = trace_.rows[static_cast<std::size_t>(made_)];
  const TenantOptions& tenant = tenants_[static_cast<std::size_t>(row.tenant)];
  Request request{.id = RequestId(static_cast<std::size_t>(made_)),
                  .arrival = row.arrival / arrivals_.speedup,
                  .input_tokens = row.input_tokens,
                  .output_tokens = row.output_tokens,
                  .tenant = row.tenant,
                  .priority = row.priority != 0 ? row.priority : tenant.priority,
                  .prefix = row.prefix != 0 ? row.prefix : prefix_of(row.tenant, 0)};
  ++made_;
  return request;
}

std::optional<Request> RequestSource::next() {
  if (made_ >= count_) return std::nullopt;
  if (arrivals_.process == ArrivalProcess::trace) return next_of_trace();
  if (closed_loop()) {
    if (made_ >= arrivals_.concurrency) return std::nullopt;
    return make(Seconds{0}, pick_tenant(Seconds{0}));
  }
  if (due_.empty()) return std::nullopt;
  std::pop_heap(due_.begin(), due_.end());
  const Due due = due_.back();
  due_.pop_back();
  const Request request = make(Seconds{due.time}, due.tenant);
  schedule(due.tenant);
  return request;
}

std::optional<Request> RequestSource::next_after(Seconds done) {
  if (!closed_loop() || made_ >= count_) return std::nullopt;
  const Seconds at = done + arrivals_.think_time;
  return make(at, pick_tenant(at));
}

}  // namespace moesim
