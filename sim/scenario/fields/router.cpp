#include "sim/router/options.hpp"

#include "sim/router/life.hpp"
#include "sim/router/presets.hpp"
#include "sim/router/trace_file.hpp"
#include "sim/scenario/fields.hpp"

namespace moesim {

namespace {

const FieldTable& event_fields() {
  using O = RouterEventOptions;
  static const FieldTable fields{
      "Something that happens to the router.",
      "",
      {
          field(MOESIM_KEY(at), "When it begins").range(0),
          field(MOESIM_KEY(kind), "What happens").one_of(router_event_kinds).required(),
          field(MOESIM_KEY(layer), "MoE layer, from 0").range(0, 1023).unset("all layers"),
          field(MOESIM_KEY(expert), "The expert it happens to").range(0, 65535),
          field(MOESIM_KEY(other), "merge: the expert that goes").range(0, 65535),
          field(MOESIM_KEY(experts), "collapse: how many become hot").range(1, 65535),
          field(MOESIM_KEY(share), "collapse, new_expert: of the choices, of the tokens")
              .above(0, 1),
          field(MOESIM_KEY(steps), "collapse, new_expert: how long it goes on").range(1),
      }};
  return fields;
}

const FieldTable& alert_fields() {
  using O = RouterAlertOptions;
  static const FieldTable fields{
      "When the result warns of the router: a layer, or the run, past a limit.",
      "",
      {
          field(MOESIM_KEY(hottest_load), "An expert's tokens over the layer's mean: above")
              .range(0),
          field(MOESIM_KEY(dead_experts), "Share of a layer's dead experts: above").range(0, 1),
          field(MOESIM_KEY(entropy), "Of a layer's loads, 1 is even: below").range(0, 1),
          field(MOESIM_KEY(balancedness), "Mean over max GPU load, whole run: below")
              .range(0, 1),
          field(MOESIM_KEY(overflow_rate), "Choices over capacity, whole run: above")
              .range(0, 1),
          field(MOESIM_KEY(router_mass_lost), "Choices displaced or dropped, whole run: above")
              .range(0, 1),
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
              "the path of a fitted router or of a load or token trace")
              .suggest([] {
                Names names;
                for (const RouterPreset& preset : router_presets()) {
                  names.emplace_back(preset.name);
                }
                return names;
              })
              .or_number()
              .path(names_a_file),
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
          field(MOESIM_KEY(step_jitter), "Std of the noise per step")
              .range(0, 10)
              .unset(preset_says),
          field(MOESIM_KEY(hot_fraction), "Of each layer's experts, the hot set")
              .range(0, 1)
              .unset(preset_says),
          field(MOESIM_KEY(hot_factor), "What the hot set's load is multiplied by")
              .range(0)
              .unset(preset_says),
          field(MOESIM_KEY(dead_fraction), "Of each layer's experts, those never chosen")
              .range(0, 0.9)
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
          field(MOESIM_KEY(hash_layers),
                "The first MoE layers that route by a hash of the token id: all experts alike")
              .range(0, 1023),
          field(MOESIM_KEY(balance_pressure), "Flattens the router: 0 not at all, 1 to uniform")
              .range(0, 1),
          field(MOESIM_KEY(expert_dropout), "What if: experts out of reach, per step")
              .range(0, 0.9),
          table(MOESIM_KEY(alert), "When the result warns of the router", alert_fields()),
          tables("event", &O::events, "Something that happens to the router", event_fields()),
          field(MOESIM_KEY(exact), "Sample every token instead of fast counts"),
          field(MOESIM_KEY(replay),
                "skew is a trace: play its steps (scaled to the step's tokens) or its tokens"),
      }};
  return fields;
}

}  // namespace moesim
