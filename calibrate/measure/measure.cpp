#include "calibrate/measure/measure.hpp"

#include <algorithm>

#include "sim/base/errors.hpp"

namespace moesim {
namespace {

Point measure_one(MeasuredDevice& device, const Job& job, const Measuring& how) {
  Point point;
  point.job = job;
  point.kernel = device.kernel();
  point.before = device.conditions();
  point.time = sample_until_known(device, how.rule, how.clock, point.converged);
  if (job.purpose == Purpose::energy) point.energy = device.energy(how.energy_loop);
  point.after = device.conditions();
  return point;
}

void take_one(MeasuredDevice& device, const Job& job, const Measuring& how,
              Measurement& result) {
  if (auto why = device.prepare(job.op)) {
    result.refusals.push_back({job.op, *why});
    return;
  }
  Point point = measure_one(device, job, how);
  point.order = static_cast<int>(result.points.size());
  result.points.push_back(std::move(point));
}

}  // namespace

Summary sample_until_known(MeasuredDevice& device, const StoppingRule& rule,
                           const std::function<Seconds()>& clock, bool& converged) {
  std::vector<double> times;
  converged = false;
  const Seconds start = clock();
  while (static_cast<int>(times.size()) < rule.most) {
    const int room = rule.most - static_cast<int>(times.size());
    for (const Seconds t : device.sample(std::min(rule.batch, room))) {
      times.push_back(t.value);
    }
    const int count = static_cast<int>(times.size());
    if (count >= rule.fewest && summarize(times).relative_interval() <= rule.interval) {
      converged = true;
      break;
    }
    if (clock() - start > rule.longest && count >= rule.fewest / 2) break;
  }
  return summarize(times);
}

std::string how_to_go_round(const Operation& op) {
  return " (--without \"" + family_of(op) + "\" leaves it out)";
}

Measurement measure(MeasuredDevice& device, const Plan& plan, const Measuring& how) {
  Measurement result;
  const Seconds start = how.clock();
  Seconds kept = start;
  for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
    const Job& job = plan.jobs[i];
    const Seconds left = how.budget - (how.clock() - start);
    result.interrupted = how.interrupted && how.interrupted();
    if (result.interrupted || left.value <= 0) {
      result.left_out += plan.jobs.size() - i;
      break;
    }
    if (job.purpose == Purpose::energy && left < job.estimate) {
      ++result.left_out;
      continue;
    }
    if (how.progress) how.progress(i, plan.expected, left, job);
    if (how.keep && how.clock() - kept > how.keep_every) {
      result.spent = how.clock() - start;
      how.keep(result);
      kept = how.clock();
    }
    try {
      take_one(device, job, how, result);
    } catch (const OperationFailed& e) {
      result.refusals.push_back({job.op, std::string("failed: ") + e.what()});
    } catch (const WorldError& e) {
      result.failure = e.what() + how_to_go_round(job.op);
      result.left_out += plan.jobs.size() - i;
      break;
    }
  }
  result.spent = how.clock() - start;
  return result;
}

}  // namespace moesim
