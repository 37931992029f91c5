#include "sim/scenario/fields.hpp"
#include "sim/serving/options.hpp"

namespace moesim {

const FieldTable& scale_fields() {
  using O = ScaleOptions;
  static const FieldTable fields{
      "An instance that is switched off, when it has served what it has, or on again.",
      "",
      {
          field(MOESIM_KEY(at), "When it is asked to").range(0),
          field(MOESIM_KEY(instance),
                "Which one, counted from 0; the prefill pool's come first")
              .range(0),
          field(MOESIM_KEY(to), "Off or on").one_of([] {
            return Names{"down", "up"};
          }),
          field(MOESIM_KEY(warm_up), "up: how long until it takes requests").range(0),
      }};
  return fields;
}

}  // namespace moesim
