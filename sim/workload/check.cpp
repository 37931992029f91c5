#include "sim/workload/check.hpp"

#include <fmt/format.h>

#include <cmath>
#include <set>

namespace moesim {

namespace {

class Checker {
 public:
  explicit Checker(Diagnostics& found) : found_(found) {}

  void need(bool good, std::string_view key, double value, std::string_view expected) {
    if (!good) fault(fmt::format("{} is {}", key, value), expected);
  }
  void fault(std::string message, std::string_view expected) {
    found_.error({}, std::move(message), std::string(expected));
  }

  void lengths(const std::string& key, const LengthOptions& o, const std::string& trace_file) {
    need(o.min.value >= 1, key + ".min", o.min.value, "at least one token");
    need(o.max >= o.min, key + ".max", o.max.value, "at least " + key + ".min");
    need(o.max.value <= 1e9, key + ".max", o.max.value, "at most 1e9 tokens");
    need(std::isfinite(o.mean.value) && o.mean.value >= 1, key + ".mean", o.mean.value,
         "at least one token");
    need(o.cv >= 0, key + ".cv", o.cv, "zero or more");
    need(o.spread >= 0 && o.spread <= 1, key + ".spread", o.spread, "between 0 and 1");
    const bool from_file = o.distribution == LengthDistribution::empirical ||
                           (o.distribution == LengthDistribution::trace && trace_file.empty());
    if (from_file && o.file.empty()) {
      fault(key + ".file is empty", "the file that the lengths come from");
    }
  }

  void arrivals(const ArrivalOptions& a) {
    const std::string key = "traffic.arrivals";
    const bool open = a.process == ArrivalProcess::poisson ||
                      a.process == ArrivalProcess::gamma ||
                      a.process == ArrivalProcess::uniform;
    need(!open || (a.rate.value > 0 && std::isfinite(a.rate.value)), key + ".rate",
         a.rate.value, "more than 0 requests per second, as \"40 req/s\"");
    need(a.cv > 0, key + ".cv", a.cv, "more than 0 (1 is as Poisson)");
    need(a.concurrency >= 1, key + ".concurrency", a.concurrency, "at least 1");
    need(a.think_time.value >= 0, key + ".think_time", a.think_time.value, "zero or more");
    need(a.speedup > 0, key + ".speedup", a.speedup, "more than 0");
    need(a.period.value >= 0, key + ".period", a.period.value, "zero or more");
    if (a.process == ArrivalProcess::trace && a.file.empty()) {
      fault(key + ".file is empty", "the trace to replay");
    }
    if (!open && !a.curve.empty()) {
      fault(key + ".curve needs a rate", "process = \"poisson\", \"gamma\" or \"uniform\"");
    }
    curve(key, a);
  }

  void surge(const std::string& key, const SurgeOptions& s) {
    need(s.at.value >= 0, key + ".at", s.at.value, "zero or more");
    need(s.lasts.value >= 0, key + ".lasts", s.lasts.value, "zero or more");
    need(s.times >= 0 && std::isfinite(s.times), key + ".times", s.times, "zero or more");
  }

 private:
  void curve(const std::string& key, const ArrivalOptions& a) {
    double most = a.curve.empty() ? 1 : 0;
    for (std::size_t i = 0; i < a.curve.size(); ++i) {
      const RatePoint& p = a.curve[i];
      const std::string name = fmt::format("{}.curve[{}]", key, i);
      need(p.times >= 0 && std::isfinite(p.times), name + ".times", p.times, "zero or more");
      const Seconds least = i == 0 ? Seconds{0} : a.curve[i - 1].at;
      need(p.at >= least, name + ".at", p.at.value, "not before the point in front of it");
      need(a.period.value <= 0 || p.at <= a.period, name + ".at", p.at.value,
           "within the period");
      most = std::max(most, p.times);
    }
    need(most > 0, key + ".curve's largest factor", most, "more than 0");
  }

  Diagnostics& found_;
};

}  // namespace

void check(const TrafficOptions& traffic, Diagnostics& found) {
  Checker checker(found);
  checker.arrivals(traffic.arrivals);
  const std::string trace_file =
      traffic.arrivals.process == ArrivalProcess::trace ? traffic.arrivals.file : "";
  checker.lengths("traffic.input_tokens", traffic.input_tokens, trace_file);
  checker.lengths("traffic.output_tokens", traffic.output_tokens, trace_file);
  checker.need(std::abs(traffic.length_correlation) <= 1, "traffic.length_correlation",
               traffic.length_correlation, "between -1 and 1");
  double shares = traffic.tenants.empty() ? 1 : 0;
  std::set<std::string> names;
  for (const TenantOptions& tenant : traffic.tenants) {
    const std::string key = fmt::format("traffic.tenant '{}'", tenant.name);
    if (!names.insert(tenant.name).second) {
      checker.fault(key + " is there twice", "a name of its own for each tenant");
    }
    checker.need(tenant.share >= 0 && std::isfinite(tenant.share), key + " share", tenant.share,
                 "zero or more");
    checker.need(tenant.prefixes >= 1, key + " prefixes", tenant.prefixes, "at least 1");
    checker.surge(key + " surge", tenant.surge);
    for (const SurgeOptions& s : tenant.surges) checker.surge(key + " surges", s);
    if (tenant.input_tokens) {
      checker.lengths(key + " input_tokens", *tenant.input_tokens, trace_file);
    }
    if (tenant.output_tokens) {
      checker.lengths(key + " output_tokens", *tenant.output_tokens, trace_file);
    }
    shares += tenant.share;
  }
  checker.need(shares > 0, "the tenants' shares add up to", shares, "more than 0");
}

}  // namespace moesim
