// What happens to a router while it serves: collapse, new, pruned, merged and reset experts.
#pragma once

#include <span>
#include <vector>

#include "sim/base/units.hpp"
#include "sim/router/options.hpp"
#include "sim/router/shape.hpp"

namespace moesim {

class RouterLife {
 public:
  // Throws InputError with every event that cannot happen to such a router.
  RouterLife(std::vector<RouterEventOptions> events, const RouterShape& shape);

  // True when the factors differ from those of the last update. `pi` is the inclusion without
  // any event, layers x experts.
  bool update(Seconds now, long step, std::span<const double> pi);

  // What the events do to each expert's rate: layers x experts, 1 = nothing.
  [[nodiscard]] std::span<const double> factors() const { return factors_; }

 private:
  struct State {
    long started = -1;  // step, -1: not yet
    int progress = -1;  // in kProgress parts of the event's steps
  };

  void apply(const RouterEventOptions& event, const State& state, int layer,
             std::span<const double> pi);

  std::vector<RouterEventOptions> events_;
  std::vector<State> states_;
  RouterShape shape_;
  std::vector<double> factors_;
};

}  // namespace moesim
