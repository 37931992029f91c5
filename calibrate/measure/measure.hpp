// Carries out a plan on a device: samples until the median is known well enough, watches the
// clock, and keeps every point with the conditions it was measured under.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/measure/device.hpp"
#include "calibrate/measure/plan.hpp"
#include "calibrate/measure/statistics.hpp"

namespace moesim {

// When to stop sampling one operation.
struct StoppingRule {
  double interval = 0.01;  // 95 % interval of the median, high - low over the median
  int batch = 10;          // timings between two looks
  int fewest = 20;
  int most = 400;
  Seconds longest{0.5};  // per operation, by the clock; `fewest / 2` all the same
};

struct Point {
  Job job;
  int order = 0;  // of measurement, from 0
  std::string kernel;
  Summary time;            // seconds
  bool converged = false;  // the interval is as narrow as the rule asks
  std::optional<Conditions> before;
  std::optional<Conditions> after;
  std::optional<EnergyLoop> energy;  // of energy jobs
};

struct Refusal {
  Operation op;
  std::string why;
};

struct Measurement {
  std::vector<Point> points;
  std::vector<Refusal> refusals;
  std::size_t left_out = 0;  // jobs for which no time remained
  Seconds spent{0};
  bool interrupted = false;
  std::string failure;  // the device's, which ended the measurement; else empty
};

// Samples the prepared operation by the rule.
Summary sample_until_known(MeasuredDevice& device, const StoppingRule& rule,
                           const std::function<Seconds()>& clock, bool& converged);

struct Measuring {
  StoppingRule rule;
  Seconds budget{180};
  Seconds energy_loop{2};
  std::function<Seconds()> clock;     // since any origin; steady
  std::function<bool()> interrupted;  // may be empty
  // Before each job: how many are done, of how many the budget is expected to allow, and what
  // comes next. May be empty.
  std::function<void(std::size_t done, std::size_t expected, Seconds left, const Job&)>
      progress;
  // Every so often: what there is so far, to be kept should the program be ended. May be empty.
  std::function<void(const Measurement&)> keep;
  Seconds keep_every{15};
};

// What to do where an operation has ended the device's work for this process.
std::string how_to_go_round(const Operation& op);

// A failing device ends the measurement; the points before it are kept. A failing operation is
// a refusal.
Measurement measure(MeasuredDevice& device, const Plan& plan, const Measuring& how);

}  // namespace moesim
