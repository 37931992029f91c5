// The keys outside of all sections, and the sections in the order of a scenario's walk.
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/fields.hpp"

namespace moesim {

const FieldTable& scenario_fields() {
  using O = Scenario;
  static const FieldTable fields{
      "One run: a model, a cluster, and the traffic that it serves.",
      "",
      {
          field(MOESIM_KEY(name), "Name of the scenario; also of its result folder"),
          field(MOESIM_KEY(seed), "Seed of all randomness; the same seed gives the same bytes"),
          field(MOESIM_KEY(requests), "Requests to serve").range(1, 1e9),
          table(MOESIM_KEY(model), "The model that is served", model_fields()),
          table(MOESIM_KEY(cluster), "The machines and how they are wired", cluster_fields()),
          table(MOESIM_KEY(calibration), "The measured timings that a run rests on",
                calibration_fields()),
          table(MOESIM_KEY(placement), "Which GPU holds which experts", placement_fields()),
          table(MOESIM_KEY(router), "Which experts a token takes", router_fields()),
          table(MOESIM_KEY(serving), "How the engine batches and spreads the model",
                serving_fields()),
          table(MOESIM_KEY(training), "With serving.mode = \"training\": what a step trains on",
                training_fields()),
          table(MOESIM_KEY(traffic), "Who asks, how often, how long", traffic_fields()),
          tables("fault", &O::faults, "Something that breaks or slows down", fault_fields()),
          tables("scale", &O::scales, "An instance that is switched off or on", scale_fields()),
          table(MOESIM_KEY(slo), "What the service promises", slo_fields()),
          table(MOESIM_KEY(sweep), "What `moesim sweep` varies", sweep_fields()),
      }};
  return fields;
}

}  // namespace moesim
