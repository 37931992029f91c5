#include "sim/machine/collective.hpp"

#include <array>

#include "sim/machine/bound.hpp"
#include "sim/machine/fluid.hpp"
#include "sim/machine/stepped.hpp"

namespace moesim {
namespace {

// Where a GPU's NVLink is narrower than the NICs that it forwards to, and is busy for more than
// this part of the bound, it holds them up when the others are through: by up to 9 %.
constexpr double kHeldUp = 0.3;

// bound is a lower bound; it is exact to 2 % where only access links can be the bottleneck, one
// at a time, also when some of them are slow or down.
class AutoModel : public CollectiveModel {
 public:
  Outcome time(const Traffic& traffic, LinkLedger* ledger, Seconds start) override {
    return bound_is_exact(traffic) ? bound_.time(traffic, ledger, start)
                                   : stepped_.time(traffic, ledger, start);
  }

 private:
  bool bound_is_exact(const Traffic& traffic) {
    const RankGroup& ranks = *traffic.ranks;
    if (!ranks.access_bound(traffic.relayed())) return false;
    if (ranks.cluster().switch_links_changed() != 0) return false;
    if (ranks.feeds_nics() || traffic.relayed()) return true;
    const Seconds last = bound_.time(traffic).makespan - traffic.overhead;
    return bound_.busy_inside(ranks.cluster()) <= kHeldUp * last;
  }

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
