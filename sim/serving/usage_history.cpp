#include "sim/serving/usage_history.hpp"

#include <algorithm>

namespace moesim {

UsageHistory::UsageHistory(const Parallelism& parallel, int links)
    : moe_tp_(parallel.moe_tp),
      gpus_(static_cast<std::size_t>(parallel.instances),
            CounterHistory(static_cast<std::size_t>(parallel.gpus))),
      links_(static_cast<std::size_t>(links)),
      busy_(static_cast<std::size_t>(parallel.gpus)) {}

void UsageHistory::step_ended(int instance, const StepModel& model, const MoeStep* moe,
                              const LinkLedger& ledger, Seconds begin, Seconds end) {
  const auto tp = static_cast<std::size_t>(moe_tp_);
  for (std::size_t g = 0; g < busy_.size(); ++g) {
    busy_[g] = model.attention_seconds()[g] + model.dense_seconds()[g];
    if (moe != nullptr) busy_[g] += moe->totals().rank_seconds[g / tp];
  }
  gpus_[static_cast<std::size_t>(instance)].see(begin, end, busy_);
  // Instances step at their own times; each continues where the last to end left off.
  links_.see(std::clamp(begin, links_.end(), end), end, ledger.totals());
}

}  // namespace moesim
