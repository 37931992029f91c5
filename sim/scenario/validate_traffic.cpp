// Whether the requests make sense: tenants, lengths, arrivals, promises.
#include <fmt/format.h>

#include "sim/base/units_text.hpp"
#include "sim/scenario/contradictions.hpp"

namespace moesim {

namespace {

void check_length(const LengthOptions& length, const std::string& key, Contradictions& tell) {
  if (length.min > length.max) {
    tell.error({key + ".min", key + ".max"},
               fmt::format("{} are between {} and {}", key, number_text(length.min.value),
                           number_text(length.max.value)),
               "min <= max");
  } else if (length.mean < length.min || length.mean > length.max) {
    tell.error(
        {key + ".mean", key + ".min", key + ".max"},
        fmt::format("the mean {} of {} is outside {} to {}", number_text(length.mean.value),
                    key, number_text(length.min.value), number_text(length.max.value)),
        "min <= mean <= max");
  }
  if (length.distribution == LengthDistribution::lognormal && length.cv <= 0) {
    tell.error({key + ".cv", key + ".distribution"}, "a lognormal distribution needs a spread",
               "cv above 0, or distribution = \"fixed\"");
  }
  if (length.distribution == LengthDistribution::empirical && length.file.empty()) {
    tell.error({key + ".file", key + ".distribution"}, "an empirical distribution needs a file",
               "file = a CSV of length,weight");
  }
}

void check_arrivals(const Scenario& s, Contradictions& tell) {
  const bool replays = s.traffic.arrivals.process == ArrivalProcess::trace;
  if (replays && s.traffic.arrivals.file.empty()) {
    tell.error({"traffic.arrivals.file", "traffic.arrivals.process"},
               "a trace replay needs a file", "file = the trace to replay");
  }
  const ArrivalOptions& a = s.traffic.arrivals;
  if (!a.curve.empty() && (replays || a.process == ArrivalProcess::closed_loop)) {
    tell.error({"traffic.arrivals.curve", "traffic.arrivals.process"},
               "a curve needs a rate to change", "process = poisson, gamma or uniform");
  }
  for (std::size_t i = 0; i < a.curve.size(); ++i) {
    const std::string at = fmt::format("traffic.arrivals.curve[{}].at", i);
    if (i > 0 && a.curve[i].at < a.curve[i - 1].at) {
      tell.error({at, fmt::format("traffic.arrivals.curve[{}].at", i - 1)},
                 "the corners of the curve are not in order of time", "increasing times");
    }
    if (a.period.value > 0 && a.curve[i].at > a.period) {
      tell.error({at, "traffic.arrivals.period"}, "a corner of the curve lies after its period",
                 "times within the period");
    }
  }
  const std::pair<const char*, const LengthOptions*> lengths[] = {
      {"traffic.input_tokens", &s.traffic.input_tokens},
      {"traffic.output_tokens", &s.traffic.output_tokens}};
  for (const auto& [key, length] : lengths) {
    check_length(*length, key, tell);
    if (length->distribution == LengthDistribution::trace && !replays && length->file.empty()) {
      tell.error({fmt::format("{}.distribution", key), fmt::format("{}.file", key)},
                 "lengths come from a trace, but none is named",
                 "file = the trace, or traffic.arrivals.process = \"trace\"");
    }
  }
}

void check_tenants(const std::vector<TenantOptions>& tenants, Contradictions& tell) {
  double sum = 0;
  for (std::size_t i = 0; i < tenants.size(); ++i) {
    const TenantOptions& t = tenants[i];
    const std::string key = fmt::format("traffic.tenant[{}]", i);
    sum += t.share;
    for (std::size_t j = 0; j < i; ++j) {
      if (tenants[j].name != t.name) continue;
      tell.error({key + ".name", fmt::format("traffic.tenant[{}].name", j)},
                 fmt::format("two tenants are called '{}'", t.name), "a name of its own each");
      break;
    }
    if (t.input_tokens) check_length(*t.input_tokens, key + ".input_tokens", tell);
    if (t.output_tokens) check_length(*t.output_tokens, key + ".output_tokens", tell);
    if (t.surge.times != 1 && t.surge.lasts.value <= 0) {
      tell.error({key + ".surge.lasts", key + ".surge.times"},
                 fmt::format("the surge of '{}' lasts no time", t.name), "lasts above 0");
    }
  }
  if (!tenants.empty() && sum <= 0) {
    tell.error({"traffic.tenant[0].share", "traffic.tenant"}, "all tenants' shares are 0",
               "at least one share above 0");
  }
}

void check_promises(const SloOptions& slo, Contradictions& tell) {
  struct Pair {
    const char *low, *high;
    Seconds at_low, at_high;
  };
  const Pair pairs[] = {{"slo.ttft_p50", "slo.ttft_p90", slo.ttft_p50, slo.ttft_p90},
                        {"slo.ttft_p90", "slo.ttft_p99", slo.ttft_p90, slo.ttft_p99},
                        {"slo.ttft_p50", "slo.ttft_p99", slo.ttft_p50, slo.ttft_p99},
                        {"slo.tpot_p50", "slo.tpot_p90", slo.tpot_p50, slo.tpot_p90},
                        {"slo.tpot_p90", "slo.tpot_p99", slo.tpot_p90, slo.tpot_p99},
                        {"slo.tpot_p50", "slo.tpot_p99", slo.tpot_p50, slo.tpot_p99},
                        {"slo.e2el_p50", "slo.e2el_p90", slo.e2el_p50, slo.e2el_p90},
                        {"slo.e2el_p90", "slo.e2el_p99", slo.e2el_p90, slo.e2el_p99},
                        {"slo.e2el_p50", "slo.e2el_p99", slo.e2el_p50, slo.e2el_p99}};
  for (const Pair& p : pairs) {
    if (p.at_high.value <= 0 || p.at_low <= p.at_high) continue;
    tell.warning({p.low, p.high},
                 fmt::format("{} = {} is longer than {} = {}", p.low, to_text(p.at_low), p.high,
                             to_text(p.at_high)),
                 "a higher percentile is never shorter; the first promise adds nothing");
  }
}

}  // namespace

void validate_traffic(const Scenario& s, Contradictions& tell) {
  check_arrivals(s, tell);
  check_tenants(s.traffic.tenants, tell);
  check_promises(s.slo, tell);
}

}  // namespace moesim
