// The [traffic] section: who asks, how often, how long.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/base/units.hpp"

namespace moesim {

enum class ArrivalProcess { poisson, gamma, uniform, closed_loop, trace };

// A corner of the piecewise-linear curve that multiplies the arrival rate.
struct RatePoint {
  Seconds at{0};
  double times = 1;

  friend bool operator==(const RatePoint&, const RatePoint&) = default;
};

struct ArrivalOptions {
  ArrivalProcess process = ArrivalProcess::poisson;
  PerSecond rate{1};
  double cv = 1;          // gamma: coefficient of variation of each tenant's gaps
  int concurrency = 1;    // closed_loop
  Seconds think_time{0};  // closed_loop
  std::string file = {};  // trace
  double speedup = 1;     // trace: 2 replays it in half the time
  // Ramps and days: linear between the points, constant before the first and after the last.
  std::vector<RatePoint> curve = {};
  Seconds period{0};  // > 0: the curve repeats (a day: "24 h")

  friend bool operator==(const ArrivalOptions&, const ArrivalOptions&) = default;
};

enum class LengthDistribution { fixed, uniform, lognormal, empirical, trace };

struct LengthOptions {
  LengthDistribution distribution = LengthDistribution::fixed;
  Tokens mean{1024};
  double cv = 0;      // lognormal
  double spread = 0;  // uniform: mean x (1 +- spread)
  Tokens min{1};
  Tokens max{131072};
  std::string file = {};  // empirical: CSV of length,weight; trace: as arrivals.file

  friend bool operator==(const LengthOptions&, const LengthOptions&) = default;
};

struct SurgeOptions {
  Seconds at{0};
  Seconds lasts{0};
  double times = 1;  // factor on the tenant's rate

  friend bool operator==(const SurgeOptions&, const SurgeOptions&) = default;
};

struct TenantOptions {
  std::string name = "default";
  double share = 1;  // of the arrival rate; the shares are normalised
  std::string domain = {};
  int priority = 0;  // larger goes first
  int prefixes = 1;  // distinct shared prompt beginnings (system prompts)
  SurgeOptions surge = {};
  std::vector<SurgeOptions> surges = {};  // further ones; where they overlap they multiply
  std::optional<LengthOptions> input_tokens = {};  // its own instead of the traffic's
  std::optional<LengthOptions> output_tokens = {};

  friend bool operator==(const TenantOptions&, const TenantOptions&) = default;
};

struct TrafficOptions {
  ArrivalOptions arrivals = {};
  LengthOptions input_tokens{.distribution = LengthDistribution::fixed, .mean = Tokens{1024}};
  LengthOptions output_tokens{.distribution = LengthDistribution::fixed, .mean = Tokens{256}};
  // Of the normal scores of prompt and output length (Gaussian copula); Spearman's rank
  // correlation is 6/pi asin(r/2).
  double length_correlation = 0;
  std::vector<TenantOptions> tenants = {};

  friend bool operator==(const TrafficOptions&, const TrafficOptions&) = default;
};

}  // namespace moesim
