// The [slo] section: what the service promises.
#pragma once

#include "sim/base/units.hpp"

namespace moesim {

// Zero: no promise.
struct SloOptions {
  Seconds ttft_p50{0};
  Seconds ttft_p90{0};
  Seconds ttft_p99{0};
  Seconds tpot_p50{0};
  Seconds tpot_p90{0};
  Seconds tpot_p99{0};
  Seconds e2el_p50{0};
  Seconds e2el_p90{0};
  Seconds e2el_p99{0};

  friend bool operator==(const SloOptions&, const SloOptions&) = default;
};

}  // namespace moesim
