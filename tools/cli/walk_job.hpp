// One run of many, in a forked child.
#pragma once

#include "tools/fleet/jobs.hpp"
#include "tools/walk/walk.hpp"

namespace CLI {
class App;
}

namespace moesim {

// A run tells how far it is, and ends when it should.
Progress progress_of(const JobLink& link);

// The walk without files. For a process of its own: SimGrid's engine is one per process.
Result walk_scenario(const Scenario& scenario, const JobLink& link);

// -j N. `jobs` must live until the command line is parsed.
void add_jobs_option(CLI::App& app, int& jobs);

}  // namespace moesim
