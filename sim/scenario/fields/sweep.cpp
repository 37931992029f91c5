#include "sim/scenario/fields.hpp"
#include "sim/scenario/scenario.hpp"

namespace moesim {

const FieldTable& sweep_fields() {
  using O = SweepOptions;
  static const FieldTable fields{
      "The grid that `moesim sweep FILE` runs when it is given no --vary; other commands run "
      "the "
      "scenario as it stands.",
      "",
      {
          field(
              MOESIM_KEY(vary),
              "Keys and their values, as --vary takes them: \"placement.strategy=linear,eplb\" "
              "or \"cluster.nodes=4:16:4\"; all combinations are run")
              .unset("one run"),
      }};
  return fields;
}

}  // namespace moesim
