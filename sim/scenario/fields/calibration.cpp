#include "sim/scenario/fields.hpp"
#include "sim/serving/options.hpp"

namespace moesim {

const FieldTable& calibration_fields() {
  using O = CalibrationOptions;
  static const FieldTable fields{
      "The kernel profile: timings of one GPU type and engine.",
      "",
      {
          field(
              MOESIM_KEY(profile),
              "Kernel profile: GPU/engine as shipped in calibrate/profiles (see `moesim list "
              "profiles`), or the path of a file from `moesim calibrate`. In a mixed cluster "
              "GPUs of other kinds have the shipped profile of their own and the same engine"),
          field(MOESIM_KEY(expert_kernel),
                "Part of an expert kernel's name, where a profile has several for one number "
                "format (`moesim calibrate show` lists them), as an engine's MoE back end is "
                "chosen: \"deepgemm\", \"cutlass\", \"triton\"")
              .unset("the profile's first one that knows the expert's shape"),
      }};
  return fields;
}

}  // namespace moesim
