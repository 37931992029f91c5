#include "sim/router/options.hpp"

#include "sim/router/presets.hpp"
#include "sim/scenario/fields.hpp"

namespace moesim {

namespace {

const FieldTable& event_fields() {
  using O = RouterEventOptions;
  static const FieldTable fields{
      "Something that happens to the router at a time.",
      "",
      {
          field(MOESIM_KEY(at), "When it begins").range(0),
          field(MOESIM_KEY(kind), "What happens").required().one_of([] {
            return Names{"collapse", "new_expert", "prune", "merge", "reinitialise"};
          }),
          field(MOESIM_KEY(layer), "MoE layer, counted from 0").range(0, 10000).unset("all"),
          field(MOESIM_KEY(expert), "The expert it happens to").range(0, 1 << 20),
          field(MOESIM_KEY(other), "merge: the expert whose tokens it takes over")
              .range(0, 1 << 20),
          field(MOESIM_KEY(experts), "collapse: experts that take over").range(1, 1 << 20),
          field(MOESIM_KEY(share), "collapse, new_expert: of the tokens").range(0, 1),
          field(MOESIM_KEY(steps), "Steps that it takes").range(0),
      }};
  return fields;
}

}  // namespace

const FieldTable& router_fields() {
  using O = RouterOptions;
  const char* preset_says = "as the skew preset says";
  static const FieldTable fields{
      "How uneven the routing is, and what happens when an expert is full.",
      "",
      {
          field(
              MOESIM_KEY(skew),
              "A preset's name, the lognormal sigma of every layer (0: a balanced router), or "
              "the path of a load or token trace")
              .suggest([] {
                Names names;
                for (const RouterPreset& preset : router_presets()) {
                  names.emplace_back(preset.name);
                }
                return names;
              })
              .or_number(),
          field(MOESIM_KEY(sigma), "Median over the layers of the std of log expert popularity")
              .range(0, 10)
              .unset(preset_says),
          field(MOESIM_KEY(class_sigma), "Spread of the latent token classes' preferences")
              .range(0, 10)
              .unset(preset_says),
          field(MOESIM_KEY(classes), "Latent token classes").range(1, 4096).unset(preset_says),
          field(MOESIM_KEY(domain_sigma), "Spread of preferences between request domains")
              .range(0, 10)
              .unset(preset_says),
          field(MOESIM_KEY(request_sigma), "Spread of preferences between requests")
              .range(0, 10)
              .unset(preset_says),
          field(MOESIM_KEY(drift_sigma), "Stationary std of the AR(1) drift of popularity")
              .range(0, 10)
              .unset(preset_says),
          field(MOESIM_KEY(drift_time), "Correlation time of the drift").above(0),
          field(MOESIM_KEY(hot_fraction), "Of each layer's experts, a hot set")
              .range(0, 1)
              .unset(preset_says),
          field(MOESIM_KEY(hot_factor), "What the hot set's load is multiplied by")
              .range(0, 1e6)
              .unset(preset_says),
          field(MOESIM_KEY(dead_fraction), "Of each layer's experts, never chosen")
              .range(0, 0.99)
              .unset(preset_says),
          field(MOESIM_KEY(step_jitter), "Std of the noise per step")
              .range(0, 10)
              .unset(preset_says),
          field(MOESIM_KEY(capacity_factor),
                "An expert takes at most ceil(factor x tokens x top_k / experts) per step")
              .above(0)
              .unset("no limit"),
          field(MOESIM_KEY(overflow), "What becomes of a token that finds its expert full")
              .one_of([] {
                return Names{"none", "drop", "reroute", "pad"};
              }),
          field(MOESIM_KEY(top_k), "Experts per token").range(1, 1024).unset("the model's"),
          field(MOESIM_KEY(balance_pressure), "Flattens the router: 0 not at all, 1 to uniform")
              .range(0, 1),
          field(MOESIM_KEY(expert_dropout),
                "What if: fraction of the experts out of reach, per step")
              .range(0, 0.99),
          field(MOESIM_KEY(exact), "Sample every token instead of fast counts"),
          tables("event", &O::events, "Something that happens to the router", event_fields()),
      }};
  return fields;
}

}  // namespace moesim
