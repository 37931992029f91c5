// One engine: attention ranks that step together, a queue in front of each, and the step model
// that prices what they do. A step begins when the last one ends and there is work.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "sim/machine/machine.hpp"
#include "sim/metrics/blame.hpp"
#include "sim/metrics/recorder.hpp"
#include "sim/serving/attention_rank.hpp"
#include "sim/serving/balancing/balancing.hpp"
#include "sim/serving/batching/batching.hpp"
#include "sim/serving/step_model.hpp"
#include "sim/workload/request.hpp"

namespace moesim {

// What an instance tells the simulation around it.
struct InstanceHooks {
  std::function<void(const StepReport&, Seconds begin, Seconds end)> step;
  std::function<void(Seconds)> admitted;  // the queue and the batch have changed
  std::function<void(RequestId, Seconds)> finished;
  std::function<void(const RankRequest&, Seconds)> handed_over;  // prefill pools
};

class Instance {
 public:
  // References outlive this.
  Instance(int id, Machine& machine, Recorder& recorder, Blame& blame, LinkLedger& ledger,
           std::unique_ptr<StepModel> model, std::vector<AttentionRank> ranks,
           const ServingOptions& options, std::uint64_t seed, InstanceHooks hooks);

  enum class Verdict { accepted, shed, never_fits };
  Verdict submit(const Request& request, int domain);

  [[nodiscard]] Candidate candidate() const;
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  // Since the start: in steps, of those waiting for the network, for the host.
  [[nodiscard]] Seconds busy() const { return busy_; }
  [[nodiscard]] Seconds network() const { return network_; }
  [[nodiscard]] Seconds host() const { return host_; }
  // Most KV blocks that one attention rank had in use.
  [[nodiscard]] std::int64_t peak_blocks() const { return peak_blocks_; }
  // Share of the KV blocks in use now, where a rank has `blocks`.
  [[nodiscard]] double kv_used(std::int64_t blocks) const;
  [[nodiscard]] const StepModel& model() const { return *model_; }
  [[nodiscard]] StepModel& model() { return *model_; }
  [[nodiscard]] int waiting() const;
  [[nodiscard]] int running() const;

 private:
  void wake();
  void start_step();
  void end_step(Seconds begin, StepReport report);
  std::size_t pick_rank(const Request& request, int domain);
  [[nodiscard]] int planned_tokens() const;
  void record_moves(Seconds now);
  void record(Seconds now);

  int id_;
  Machine& machine_;
  Recorder& recorder_;
  Blame& blame_;
  LinkLedger& ledger_;
  std::unique_ptr<StepModel> model_;
  std::vector<AttentionRank> ranks_;
  ServingOptions options_;
  PlanStep plan_;
  Balance balance_;
  BalanceState balance_state_;
  std::vector<Candidate> candidates_;
  InstanceHooks hooks_;
  StepEvents events_;
  std::vector<double> share_;  // [domains]
  bool stepping_ = false;
  std::int64_t steps_ = 0;
  Seconds busy_{0};
  Seconds network_{0};
  Seconds host_{0};
  std::int64_t peak_blocks_ = 0;
};

}  // namespace moesim
