#include "sim/scenario/fields.hpp"
#include "sim/serving/options.hpp"

namespace moesim {

const FieldTable& calibration_fields() {
  using O = CalibrationOptions;
  static const FieldTable fields{
      "The kernel profile: timings of one GPU type and engine.",
      "",
      {
          field(MOESIM_KEY(profile),
                "Kernel profile: GPU/engine as shipped in calibrate/profiles (see `moesim list "
                "profiles`), or the path of a file from `moesim calibrate`. In a mixed cluster "
                "GPUs "
                "of other kinds have the shipped profile of their own and the same engine"),
      }};
  return fields;
}

}  // namespace moesim
