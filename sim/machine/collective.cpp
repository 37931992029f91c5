#include "sim/machine/collective.hpp"

#include <array>

#include "sim/machine/bound.hpp"
#include "sim/machine/fluid.hpp"
#include "sim/machine/stepped.hpp"

namespace moesim {
namespace {

// bound is a lower bound; it is exact to 2 % where only access links can be the bottleneck,
// also when some of them are slow or down.
class AutoModel : public CollectiveModel {
 public:
  Outcome time(const Traffic& traffic, LinkLedger* ledger, Seconds start) override {
    const RankGroup& ranks = *traffic.ranks;
    const bool exact =
        ranks.access_bound(traffic.relayed()) && ranks.cluster().switch_links_changed() == 0;
    return exact ? bound_.time(traffic, ledger, start) : stepped_.time(traffic, ledger, start);
  }

 private:
  BoundModel bound_;
  SteppedModel stepped_;
};

template <class Model>
std::unique_ptr<CollectiveModel> make() {
  return std::make_unique<Model>();
}

}  // namespace

std::span<const Entry<MakeCollectiveModel>> collective_models() {
  static constexpr std::array<Entry<MakeCollectiveModel>, 4> table{{
      {"auto", "bound where it is exact to 2 %, stepped elsewhere", make<AutoModel>},
      {"bound", "busiest link's bytes over its bandwidth, plus latency", make<BoundModel>},
      {"fluid", "flows share links max-min fairly, solved in windows of 1 %", make<FluidModel>},
      {"stepped", "max-min fair sharing in a few long steps, no times per GPU",
       make<SteppedModel>},
  }};
  return table;
}

std::unique_ptr<CollectiveModel> make_collective_model(std::string_view name) {
  return find_entry(collective_models(), name, "network model").make();
}

}  // namespace moesim
