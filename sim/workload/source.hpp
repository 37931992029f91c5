// The traffic: requests one by one, made when they are asked for.
//
// Each tenant has arrivals, lengths and prefixes from streams of its own, so that a surge of
// one tenant leaves every request of the others as it was, and a change of the length
// distribution leaves the arrival times (common random numbers).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "sim/base/rng.hpp"
#include "sim/workload/lengths.hpp"
#include "sim/workload/options.hpp"
#include "sim/workload/rate_clock.hpp"
#include "sim/workload/request.hpp"
#include "sim/workload/trace.hpp"

namespace moesim {

class RequestSource {
 public:
  // At most `count` requests in all. Throws InputError with everything that is wrong with the
  // options or the files they name, WorldError for a file that cannot be read.
  RequestSource(const TrafficOptions& traffic, std::uint64_t seed, std::int64_t count);

  // The next request, in order of arrival. Closed loop: the first `concurrency` requests, all
  // at time 0; the others come from next_after. Empty: no more, or the trace has ended.
  std::optional<Request> next();

  // To be called for each request that is done (finished, shed or failed): in a closed loop the
  // request that follows it, think_time after `done`. Empty in an open loop, or at the end.
  std::optional<Request> next_after(Seconds done);

  [[nodiscard]] bool closed_loop() const {
    return arrivals_.process == ArrivalProcess::closed_loop;
  }
  // The tenants in effect: those of the options, or one default tenant; then those that only
  // the trace names.
  [[nodiscard]] const std::vector<TenantOptions>& tenants() const { return tenants_; }
  // Requests handed out so far.
  [[nodiscard]] std::int64_t made() const { return made_; }

 private:
  struct Tenant {
    RateClock clock;
    Stream gaps;
    Stream input_scores;
    Stream output_scores;
    Stream prefixes;
    std::shared_ptr<const LengthSampler> input;
    std::shared_ptr<const LengthSampler> output;
    std::int64_t draws = 0;
  };
  struct Due {
    double time;
    int tenant;
    // The earliest is on top of the heap; ties go to the tenant listed first.
    friend bool operator<(const Due& a, const Due& b) {
      return a.time != b.time ? a.time > b.time : a.tenant > b.tenant;
    }
  };

  void open_tenants(const TrafficOptions& traffic, std::uint64_t seed);
  void take_trace(const TrafficOptions& traffic);
  double events_to_next(Tenant& tenant);
  void schedule(int tenant);
  int pick_tenant(Seconds at);
  Request make(Seconds at, int tenant);
  std::optional<Request> next_of_trace();

  ArrivalOptions arrivals_;
  double correlation_;
  std::int64_t count_;
  std::int64_t made_ = 0;
  std::vector<TenantOptions> tenants_;
  std::vector<Tenant> states_;
  std::vector<Due> due_;  // heap
  Stream choice_;         // closed loop: whose request is next
  Trace trace_;
};

}  // namespace moesim
