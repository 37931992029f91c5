#include "tools/cli/walk_job.hpp"

#include <CLI/CLI.hpp>

#include "tools/cli/engine.hpp"

namespace moesim {

Progress progress_of(const JobLink& link) {
  return [&link](double share, Seconds) {
    link.progress(share);
    return !link.stop();
  };
}

Result walk_scenario(const Scenario& scenario, const JobLink& link) {
  Walk walk(scenario, simgrid_engine());
  walk.run(progress_of(link));
  return walk.result(MOESIM_VERSION);
}

void add_jobs_option(CLI::App& app, int& jobs) {
  app.add_option("-j,--jobs", jobs, "Runs at once; one per core if not given")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
}

}  // namespace moesim
