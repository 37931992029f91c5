#include "sim/scenario/fields.hpp"
#include "sim/serving/options.hpp"

namespace moesim {

const FieldTable& fault_fields() {
  using O = FaultOptions;
  static const FieldTable fields{
      "Something that breaks or slows down, at a time and for a while.",
      "",
      {
          field(MOESIM_KEY(at), "When it begins").range(0),
          field(MOESIM_KEY(lasts), "How long it lasts").range(0).unset("to the end"),
          field(MOESIM_KEY(target), "What is hit: \"node5.nic1\", \"gpu12\", \"node3\"")
              .required(),
          field(MOESIM_KEY(bandwidth), "Fraction of the bandwidth that is left; 0: down")
              .range(0, 1),
          field(MOESIM_KEY(speed), "Fraction of the GPU's speed that is left; 0: down")
              .range(0, 1),
      }};
  return fields;
}

}  // namespace moesim
