#include "sim/machine/collective.hpp"

#include <array>

#include "sim/machine/bound.hpp"

namespace moesim {

std::span<const Entry<MakeCollectiveModel>> collective_models() {
  static constexpr std::array<Entry<MakeCollectiveModel>, 1> table{{
      {"bound", "busiest link's bytes over its bandwidth, plus latency",
       []() -> std::unique_ptr<CollectiveModel> { return std::make_unique<BoundModel>(); }},
  }};
  return table;
}

std::unique_ptr<CollectiveModel> make_collective_model(std::string_view name) {
  return find_entry(collective_models(), name, "network model").make();
}

}  // namespace moesim
