// What a simulation does when instances are switched off and on.
//
// One that is switched off gets no new requests and serves those that it has to their end, so
// that nothing is lost; its GPUs are given back when it is idle. One that is switched on has
// its GPUs from then, and takes requests when it has warmed up. Requests that find every
// instance switched off wait for one to come, or fail where none will.
#include <fmt/format.h>

#include "sim/base/errors.hpp"
#include "sim/serving/simulation.hpp"

namespace moesim {

void Simulation::schedule_all_scales() {
  for (std::size_t i = 0; i < deployment_.scales.size(); ++i) {
    const ScaleOptions& scale = deployment_.scales[i];
    MOESIM_LAW(scale.instance < instances(), "a scaled instance exists");
    const int id = scale.instance;
    const auto at = static_cast<std::size_t>(id);
    if (scale.to == "down") {
      machine_.at(scale.at, [this, id, at, when = scale.at] {
        instances_[at]->drain();
        incidents_.push_back({when, when, "scale", fmt::format("instance {} down", id)});
        switch_off(id, when);
      });
      continue;
    }
    ++returns_expected_;
    const Seconds ready = scale.at + scale.warm_up;
    machine_.at(scale.at, [this, id, at, when = scale.at, ready] {
      incidents_.push_back({when, ready, "scale", fmt::format("instance {} up", id)});
      Site& here = sites_[at];
      if (here.off_since) here.off += when - *here.off_since;
      here.off_since.reset();
    });
    machine_.at(ready, [this, at] {
      instances_[at]->open();
      --returns_expected_;
      release_held();
    });
  }
}

void Simulation::switch_off(int id, Seconds now) {
  const auto i = static_cast<std::size_t>(id);
  if (!sites_[i].off_since && instances_[i]->idle()) sites_[i].off_since = now;
}

Seconds Simulation::off_time(int instance) const {
  const Site& here = site(instance);
  return here.off + (here.off_since ? end_ - *here.off_since : Seconds{0});
}

}  // namespace moesim
