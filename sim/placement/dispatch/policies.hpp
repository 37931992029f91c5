// One maker per dispatch policy, each in the file of its name.
#pragma once

#include "sim/placement/dispatch.hpp"

namespace moesim::dispatch {

std::unique_ptr<DispatchPolicy> nearest(const Placement&, const DispatchSettings&);
std::unique_ptr<DispatchPolicy> random(const Placement&, const DispatchSettings&);
std::unique_ptr<DispatchPolicy> round_robin(const Placement&, const DispatchSettings&);
std::unique_ptr<DispatchPolicy> gather(const Placement&, const DispatchSettings&);
std::unique_ptr<DispatchPolicy> lp(const Placement&, const DispatchSettings&);
std::unique_ptr<DispatchPolicy> min_active(const Placement&, const DispatchSettings&);
std::unique_ptr<DispatchPolicy> spill(const Placement&, const DispatchSettings&);
// oracles.cpp
std::unique_ptr<DispatchPolicy> balanced(const Placement&, const DispatchSettings&);
std::unique_ptr<DispatchPolicy> lower_bound(const Placement&, const DispatchSettings&);

}  // namespace moesim::dispatch
