// How much every GPU and every link was used over time.
#pragma once

#include <vector>

#include "sim/machine/ledger.hpp"
#include "sim/metrics/counter_history.hpp"
#include "sim/serving/moe_step.hpp"
#include "sim/serving/parallelism.hpp"
#include "sim/serving/step_model.hpp"

namespace moesim {

class UsageHistory {
 public:
  UsageHistory(const Parallelism& parallel, int links);

  // `moe` is null for a dense model.
  void step_ended(int instance, const StepModel& model, const MoeStep* moe,
                  const LinkLedger& ledger, Seconds begin, Seconds end);

  // Seconds of compute of the GPUs of one instance.
  [[nodiscard]] const CounterHistory& gpus(int instance) const {
    return gpus_[static_cast<std::size_t>(instance)];
  }
  // Bytes. With several instances a step's bytes can be up to one step early.
  [[nodiscard]] const CounterHistory& links() const { return links_; }

 private:
  int moe_tp_;
  std::vector<CounterHistory> gpus_;  // [instances]
  CounterHistory links_;
  std::vector<double> busy_;  // [gpus of an instance]
};

}  // namespace moesim
