// One request as the traffic makes it; what becomes of it is the recorder's business.
#pragma once

#include <cstdint>

#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"

namespace moesim {

struct Request {
  RequestId id;  // 0, 1, 2 ... in the order the source hands them out
  Seconds arrival{0};
  int input_tokens = 1;
  int output_tokens = 1;
  int tenant = 0;  // index into RequestSource::tenants()
  int priority = 0;
  std::uint64_t prefix = 0;  // requests with the same number share their prompt's beginning

  friend bool operator==(const Request&, const Request&) = default;
};

}  // namespace moesim
