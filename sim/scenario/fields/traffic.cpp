#include "sim/scenario/fields.hpp"
#include "sim/workload/options.hpp"

namespace moesim {

namespace {

const FieldTable& rate_point_fields() {
  using O = RatePoint;
  static const FieldTable fields{
      "A corner of the piecewise-linear curve that multiplies the arrival rate.",
      "",
      {
          field(MOESIM_KEY(at), "Time of the corner").range(0),
          field(MOESIM_KEY(times), "Factor on the rate there").range(0),
      }};
  return fields;
}

const FieldTable& arrival_fields() {
  using O = ArrivalOptions;
  static const FieldTable fields{
      "When requests arrive.",
      "",
      {
          choice(MOESIM_KEY(process), "How requests arrive",
                 {{"poisson", ArrivalProcess::poisson},
                  {"gamma", ArrivalProcess::gamma},
                  {"uniform", ArrivalProcess::uniform},
                  {"closed_loop", ArrivalProcess::closed_loop},
                  {"trace", ArrivalProcess::trace}}),
          field(MOESIM_KEY(rate), "Requests per second, all tenants together").above(0),
          field(MOESIM_KEY(cv), "gamma: std / mean of the gaps; above 1 is bursty").above(0),
          field(MOESIM_KEY(concurrency), "closed_loop: requests in flight").range(1, 1 << 24),
          field(MOESIM_KEY(think_time), "closed_loop: from an answer to the next request")
              .range(0),
          field(MOESIM_KEY(file), "trace: the file to replay").path(),
          field(MOESIM_KEY(speedup), "trace: 2 replays it in half the time").above(0),
          tables(MOESIM_KEY(curve), "Corners of a curve that multiplies the rate",
                 rate_point_fields()),
          field(MOESIM_KEY(period), "After this time the curve repeats (a day: \"24 h\")")
              .above(0)
              .unset("it does not repeat"),
      }};
  return fields;
}

const FieldTable& length_fields() {
  using O = LengthOptions;
  static const FieldTable fields{
      "How long prompts or answers are.",
      "",
      {
          choice(MOESIM_KEY(distribution), "Kind of distribution",
                 {{"fixed", LengthDistribution::fixed},
                  {"uniform", LengthDistribution::uniform},
                  {"lognormal", LengthDistribution::lognormal},
                  {"empirical", LengthDistribution::empirical},
                  {"trace", LengthDistribution::trace}}),
          field(MOESIM_KEY(mean), "Mean length").range(1, 1e7),
          field(MOESIM_KEY(cv), "lognormal: std / mean").range(0, 100),
          field(MOESIM_KEY(spread), "uniform: mean x (1 - spread) to mean x (1 + spread)")
              .range(0, 1),
          field(MOESIM_KEY(min), "Shortest").range(1, 1e7),
          field(MOESIM_KEY(max), "Longest").range(1, 1e7),
          field(MOESIM_KEY(file), "empirical: a CSV of length,weight").path(),
      }};
  return fields;
}

const FieldTable& surge_fields() {
  using O = SurgeOptions;
  static const FieldTable fields{
      "A while in which a tenant sends more.",
      "",
      {
          field(MOESIM_KEY(at), "When it begins").range(0),
          field(MOESIM_KEY(lasts), "How long it lasts").range(0),
          field(MOESIM_KEY(times), "Factor on the tenant's rate").range(0),
      }};
  return fields;
}

const FieldTable& tenant_fields() {
  using O = TenantOptions;
  static const FieldTable fields{
      "Someone who sends requests.",
      "",
      {
          field(MOESIM_KEY(name), "Name in reports"),
          field(MOESIM_KEY(share), "Of the arrival rate; the shares are normalised").range(0),
          field(MOESIM_KEY(domain), "Kind of text; tenants of one domain share expert tastes"),
          field(MOESIM_KEY(priority), "The larger goes first").range(-1000, 1000),
          field(MOESIM_KEY(prefixes), "Distinct shared beginnings of its prompts").range(1),
          table(MOESIM_KEY(surge), "A while in which it sends more", surge_fields()),
          tables(MOESIM_KEY(surges), "Further ones; where they overlap they multiply",
                 surge_fields()),
          table(MOESIM_KEY(input_tokens), "Its own prompt lengths", length_fields()),
          table(MOESIM_KEY(output_tokens), "Its own answer lengths", length_fields()),
      }};
  return fields;
}

}  // namespace

const FieldTable& traffic_fields() {
  using O = TrafficOptions;
  static const FieldTable fields{
      "Who asks, how often, how long.",
      "",
      {
          table(MOESIM_KEY(arrivals), "When requests arrive", arrival_fields()),
          table(MOESIM_KEY(input_tokens), "Prompt lengths", length_fields()),
          table(MOESIM_KEY(output_tokens), "Answer lengths", length_fields()),
          field(MOESIM_KEY(length_correlation),
                "Of the normal scores of prompt and answer length")
              .range(-1, 1),
          tables("tenant", &O::tenants, "Someone who sends requests", tenant_fields()),
      }};
  return fields;
}

}  // namespace moesim
