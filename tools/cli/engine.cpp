#include "tools/cli/engine.hpp"

#include "sim/simgrid/machine.hpp"

namespace moesim {

MakeMachine simgrid_engine() {
  return [](Cluster& cluster) { return make_simgrid_machine(cluster); };
}

MakeMachine analytic_engine() {
  return [](Cluster& cluster) { return make_analytic_machine(cluster); };
}

}  // namespace moesim
