// Collectives on links that transfers cross too, priced by any CollectiveModel.
//
// On such a link a collective of n flows and W seconds of work, beside c transfers that could
// use a share s of it (1 where they have no narrower link), gets max(n / (n + c), 1 - s) of the
// bandwidth until the transfers are through: it takes W + min(W (1 / that - 1), left), and the
// model sees a link that much slower. What is left shrinks over the step by what the transfers
// got beside its collectives, and by s of the time between them.
#pragma once

#include <array>
#include <vector>

#include "sim/machine/collective.hpp"
#include "sim/machine/ledger.hpp"
#include "sim/machine/transfers.hpp"

namespace moesim {

class SharedCollectives {
 public:
  // `transfers` outlives this.
  explicit SharedCollectives(Transfers& transfers)
      : transfers_(transfers), alone_(transfers.cluster().links()) {}

  // What transfers want of the links from now on; the collectives that follow are a step's.
  void begin_step(Seconds now);

  // As model.time(traffic, &ledger, start) with less of the links; `times` such collectives one
  // after the other.
  Outcome time(CollectiveModel& model, const Traffic& traffic, LinkLedger& ledger,
               Seconds start, double times);

 private:
  struct Shared {  // a link
    LinkWant want;
    Seconds carried{0};  // work of the step's collectives so far
    Seconds given{0};    // to transfers beside them
  };
  // All pairs of a group are taken to have something to send.
  struct FlowCounts {
    const RankGroup* ranks = nullptr;
    int reroutes = -1;
    std::vector<int> flows;  // [links]
  };
  const std::vector<int>& flows_on_links(const Traffic& traffic);
  [[nodiscard]] Seconds extra(Shared& link, int flows, Seconds work, Seconds since,
                              double times) const;

  Transfers& transfers_;
  Seconds began_{0};
  std::vector<Shared> shared_;
  std::array<FlowCounts, 4> counts_;  // by direction, and whether traffic is relayed
  LinkLedger alone_;                  // of collectives without transfers
  std::vector<double> before_;        // [shared] work in it
};

}  // namespace moesim
