// Critical-path accounting: every second of every request's latency has one cause.
//
// An instance keeps running sums of seconds by cause over its steps. A request's seconds are
// the difference of those sums between entering and leaving, plus its waits; so a step costs
// the same however many requests are in it, and the causes add up to the latency (a law,
// checked to 1e-9 for every request).
//
// Calls: enters(request) when its first step begins; step(...) when a step has ended; then
// first_token, leaves (preempted, moved to another pool) or finished for the requests in it.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"
#include "sim/metrics/cause.hpp"

namespace moesim {

// Who held up a step most: the GPU with the layer and expert that cost it the most, and the
// busiest link. Zero seconds: nobody.
struct Straggler {
  GpuId gpu;
  LayerId layer;
  ExpertId expert;
  Seconds expert_seconds{0};  // slowest GPU minus mean GPU, over the step's layers
  LinkId link;
  Seconds link_seconds{0};  // that the step waited for this link
};

class Blame {
 public:
  explicit Blame(int instances, std::int64_t requests = 0);

  // The instance has just finished a step over [begin, end]. Whatever `seconds` do not explain
  // of it is `other`; they must not explain more. The time since its previous step is `idle`
  // (for requests that were there, as during a fault).
  void step(int instance, Seconds begin, Seconds end, const CauseSeconds& seconds,
            const Straggler& straggler, Cause idle = Cause::other);

  // Since its last step the instance has done nothing because of this, up to `now`.
  void idle(int instance, Seconds now, Cause cause);
  // A request that is in no instance has waited for this, up to `now`.
  void waits(RequestId id, Seconds now, Cause cause);

  // The request joins the step that begins `now`; since it arrived or left it waited for
  // `waited`. `now` is not before the end of the instance's last step.
  void enters(RequestId id, int instance, Seconds arrival, Seconds now,
              Cause waited = Cause::queueing);
  void first_token(RequestId id, Seconds now);
  void leaves(RequestId id, Seconds now);
  void finished(RequestId id, Seconds now);
  // Failed or given up: nothing is kept of it.
  void dropped(RequestId id);

  // Seconds by cause from arrival to the end (or to the first token), which add up to
  // `latency`: the shares are stored to 7 digits, the sum is exact. Only of finished requests.
  [[nodiscard]] CauseSeconds until_end(RequestId id, Seconds latency) const;
  [[nodiscard]] CauseSeconds until_first_token(RequestId id, Seconds latency) const;

  // Steps [first, last] of an instance that a request was in; more than one per request when it
  // was preempted or moved, and one before and one after its first token.
  struct Stay {
    RequestId id;
    std::int32_t instance_and_part;  // 2 x instance + (1 after the first token)
    std::uint32_t first;
    std::uint32_t last;
    [[nodiscard]] int instance() const { return instance_and_part / 2; }
    [[nodiscard]] bool after_first_token() const { return instance_and_part % 2 != 0; }
  };
  struct StepNote {
    std::int32_t gpu;
    std::int16_t layer;
    std::int16_t expert;
    std::int32_t link;
    float expert_seconds;
    float link_seconds;
  };
  [[nodiscard]] const std::vector<Stay>& stays() const { return stays_; }
  [[nodiscard]] const std::vector<StepNote>& steps(int instance) const {
    return instances_[static_cast<std::size_t>(instance)].notes;
  }
  [[nodiscard]] int instances() const { return static_cast<int>(instances_.size()); }

 private:
  // Neumaier's compensated sums: differences stay exact after millions of steps.
  struct Sums {
    CauseSeconds high;
    CauseSeconds low;
    void add(Cause cause, double seconds);
    [[nodiscard]] CauseSeconds since(const Sums& earlier) const;
  };
  struct Instance {
    Sums sums;
    Seconds until{0};  // the sums hold everything up to here
    std::vector<StepNote> notes;
  };
  struct Live {
    Seconds arrival{0};
    Seconds until{0};  // accounted up to here, when outside
    CauseSeconds sum;
    Sums at_entry;
    CauseSeconds at_first_token;
    int instance = 0;
    std::uint32_t first_step = 0;
    bool inside = false;
    bool streamed = false;
  };
  using Shares = std::array<float, kCauses>;

  Live& live(RequestId id);
  void settle(RequestId id, Live& request, Seconds now);
  void advance(Instance& instance, Seconds now, Cause cause);
  void release(RequestId id);
  static Shares to_shares(const CauseSeconds& seconds);
  static CauseSeconds from_shares(const Shares& shares, Seconds latency);

  std::vector<Instance> instances_;
  std::vector<std::int32_t> slot_;  // by request: 1 + index into live_; 0: not here
  std::vector<Live> live_;
  std::vector<std::int32_t> free_;
  std::vector<Shares> end_;  // by request
  std::vector<Shares> first_;
  std::vector<Stay> stays_;
};

}  // namespace moesim
