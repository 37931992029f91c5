// The [traffic] section: who asks, how often, how long.
#pragma once

#include <string>
#include <vector>

#include "sim/base/units.hpp"

namespace moesim {

enum class ArrivalProcess { poisson, gamma, uniform, closed_loop, trace };

struct ArrivalOptions {
  ArrivalProcess process = ArrivalProcess::poisson;
  PerSecond rate{1};
  double cv = 1;          // gamma: coefficient of variation of the gaps
  int concurrency = 1;    // closed_loop
  Seconds think_time{0};  // closed_loop
  std::string file;       // trace

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
  std::string file;  // empirical: CSV of length,weight

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
  std::string domain;
  int priority = 0;  // larger goes first
  SurgeOptions surge;

  friend bool operator==(const TenantOptions&, const TenantOptions&) = default;
};

struct TrafficOptions {
  ArrivalOptions arrivals;
  LengthOptions input_tokens{.distribution = LengthDistribution::fixed, .mean = Tokens{1024}};
  LengthOptions output_tokens{.distribution = LengthDistribution::fixed, .mean = Tokens{256}};
  std::vector<TenantOptions> tenants;

  friend bool operator==(const TrafficOptions&, const TrafficOptions&) = default;
};

}  // namespace moesim
