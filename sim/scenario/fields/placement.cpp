#include "sim/placement/options.hpp"

#include "sim/base/registry.hpp"
#include "sim/placement/dispatch.hpp"
#include "sim/placement/strategy.hpp"
#include "sim/scenario/fields.hpp"

namespace moesim {

namespace {

const FieldTable& rebalance_fields() {
  using O = RebalanceOptions;
  static const FieldTable fields{
      "When the placement is computed anew, and how the experts move.",
      "",
      {
          field(MOESIM_KEY(every_steps), "Steps between two placements")
              .range(1)
              .unset("never"),
          field(MOESIM_KEY(below_balancedness), "Rebalance when balancedness falls below")
              .range(0, 1),
          field(MOESIM_KEY(migration), "How experts move while requests are served").one_of([] {
            return Names{"bulk", "async", "layerwise"};
          }),
          field(MOESIM_KEY(budget_per_step), "Layerwise: bytes per GPU and step at most")
              .above(0),
          field(MOESIM_KEY(source), "Where the moved weights come from").one_of([] {
            return Names{"network", "host"};
          }),
      }};
  return fields;
}

}  // namespace

const FieldTable& placement_fields() {
  using O = PlacementOptions;
  static const FieldTable fields{
      "Which GPU holds which experts, and which replica a token takes.",
      "",
      {
          field(MOESIM_KEY(strategy), "How experts are placed (`moesim list placements`)")
              .one_of([] { return names_of(placement_strategies()); }),
          field(MOESIM_KEY(redundant_experts),
                "Slots per layer beyond one per expert, over the whole EP group")
              .range(0, 1 << 20),
          field(MOESIM_KEY(budget), "How redundant experts are spread over the layers")
              .one_of([] {
                return Names{"uniform", "layers"};
              }),
          field(MOESIM_KEY(dispatch), "Which replica a token takes (`moesim list dispatch`)")
              .one_of([] { return names_of(dispatch_policies()); }),
          field(MOESIM_KEY(no_same_gpu_duplicates), "Keep replicas of an expert on other GPUs"),
          field(MOESIM_KEY(file), "strategy = \"file\": the map to load").path(),
          field(MOESIM_KEY(program), "strategy = \"external\": the program to run"),
          field(MOESIM_KEY(program_limit), "How long that program may take").above(0),
          field(MOESIM_KEY(training_tokens),
                "Past tokens per layer that a placement is computed from")
              .range(1),
          table(MOESIM_KEY(rebalance), "When the placement is computed anew",
                rebalance_fields()),
      }};
  return fields;
}

}  // namespace moesim
