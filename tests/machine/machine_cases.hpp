// Cases computed by hand that every machine with flows must get right to 1e-9.
#pragma once

#include <catch2/catch.hpp>

#include "sim/machine/machine.hpp"
#include "tests/machine/cases.hpp"

namespace moesim::testing {

// Runs flows that start at time 0 and returns when each arrived.
template <class MakeMachine>
std::vector<double> arrivals(Cluster& cluster, std::vector<Flow> flows, MakeMachine make) {
  std::vector<double> out;
  const auto machine = make(cluster);
  machine->start(std::move(flows), [&](std::span<const Seconds> finish) {
    for (const Seconds s : finish) out.push_back(s.value);
  });
  machine->run();
  return out;
}

inline auto near(double seconds) { return Approx(seconds).epsilon(1e-9); }

}  // namespace moesim::testing
