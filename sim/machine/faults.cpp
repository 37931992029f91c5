#include "sim/machine/faults.hpp"

#include "sim/base/diagnostics.hpp"
#include "topology/targets.hpp"

namespace moesim {

void schedule_link_fault(Machine& machine, const Cluster& cluster, std::string_view target,
                         double fraction, Seconds at, Seconds lasts) {
  if (!(fraction >= 0 && fraction <= 1)) {
    throw InputError("fault on '" + std::string(target) + "' leaves " +
                         std::to_string(fraction) + " of the bandwidth",
                     "a fraction from 0 (down) to 1");
  }
  const std::vector<LinkId> links = links_named(cluster, target);
  const auto change = [&machine, links](double scale) {
    return [&machine, links, scale] {
      for (const LinkId link : links) machine.set_scale(link, scale);
    };
  };
  machine.at(at, change(fraction));
  if (lasts.value >= 0) machine.at(at + lasts, change(1));
}

}  // namespace moesim
