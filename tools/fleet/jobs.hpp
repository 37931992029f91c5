// Jobs in forked children: the event engine is one per process, so a run is a process.
//
// A child does one job and sends back bytes; it dies with its parent, also when that is killed.
// Children do not see Ctrl-C: the parent's watch stops them, and they may send what they have.
// The parent must not have made an event engine.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/base/diagnostics.hpp"

namespace moesim {

// What a job may ask and tell while it works.
struct JobLink {
  std::function<bool()> stop;            // it should end soon
  std::function<void(double)> progress;  // share done, in [0, 1]
};

struct JobOutcome {
  enum class Kind { done, wrong_input, broken_law, failed };
  Kind kind = Kind::failed;
  std::string data;                     // done: what the job returned
  std::vector<Diagnostic> diagnostics;  // wrong_input
  std::string error;                    // otherwise: what went wrong, one line or more

  [[nodiscard]] bool done() const { return kind == Kind::done; }
  // Throws what the job threw: InputError, BrokenLaw or WorldError.
  [[noreturn]] void rethrow() const;
};

using Job = std::function<std::string(int job, const JobLink&)>;
using JobEnded = std::function<void(int job, const JobOutcome&)>;  // in order of their ends
// Asked some times a second; `share` of all work is done. False: no job is begun any more, and
// those that work are asked to stop.
using JobWatch = std::function<bool(double share)>;

// Runs jobs 0 .. count - 1, `at_once` at a time. False: the watch stopped it. A callback that
// throws ends the children. Throws WorldError where no child can be started.
bool run_jobs(int count, int at_once, const Job& job, const JobEnded& ended,
              const JobWatch& watch);

// One per core.
int default_jobs();

}  // namespace moesim
