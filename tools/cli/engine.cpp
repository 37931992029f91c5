#include "tools/cli/engine.hpp"

namespace moesim {

MakeMachine simgrid_engine() { return analytic_engine(); }

MakeMachine analytic_engine() {
  return [](Cluster& cluster) { return make_analytic_machine(cluster); };
}

}  // namespace moesim
