// One engine: attention ranks that step together, a queue in front of each, and the step model
// that prices what they do. A step begins when the last one ends and there is work.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "sim/machine/machine.hpp"
#include "sim/machine/transfers.hpp"
#include "sim/metrics/blame.hpp"
#include "sim/metrics/recorder.hpp"
#include "sim/serving/attention_rank.hpp"
#include "sim/serving/balancing/balancing.hpp"
#include "sim/serving/batching/batching.hpp"
#include "sim/serving/queue_look.hpp"
#include "sim/serving/step_model.hpp"
#include "sim/workload/request.hpp"

namespace moesim {

// What an instance tells the simulation around it.
struct InstanceHooks {
  std::function<void(const StepReport&, Seconds begin, Seconds end)> step;
  std::function<void(Seconds)> admitted;  // the queue and the batch have changed
  std::function<void(RequestId, Seconds)> finished;
  std::function<void(const RankRequest&, Seconds)> shed;  // waited beyond the deadline
  // Of prefill pools: from which attention rank.
  std::function<void(const RankRequest&, int rank, Seconds)> handed_over;
};

class Instance {
 public:
  // References outlive this.
  Instance(int id, Machine& machine, Transfers& transfers, Recorder& recorder, Blame& blame,
           LinkLedger& ledger, std::unique_ptr<StepModel> model,
           std::vector<AttentionRank> ranks, const ServingOptions& options, std::uint64_t seed,
           InstanceHooks hooks);

  enum class Verdict { accepted, shed, never_fits };
  Verdict submit(const Request& request, int domain);

  // A request that was in another instance, or here before. Not while down.
  void accept(const RankRequest& request, const BalanceKey& key);
  // The same in two steps, for requests whose KV is on its way: first the rank, with room kept
  // for the request in the eyes of the balancers, later the request itself.
  int expect(const RankRequest& request, const BalanceKey& key);
  void accept_at(int rank, const RankRequest& request);
  [[nodiscard]] bool has_rank(int rank) const {
    return !down_ && !gone_[static_cast<std::size_t>(rank)];
  }
  // Whether a request could ever run here.
  [[nodiscard]] bool ever_fits(int prompt, int output) const;

  // Takes no new requests any more, and ends with those that it has; or takes them again.
  void drain() { draining_ = true; }
  void open() { draining_ = false; }
  [[nodiscard]] bool draining() const { return draining_; }
  [[nodiscard]] bool idle() const { return waiting() + running() == 0; }

  // Of prefill pools: the decode pool has the KV of what `rank` handed over in its `life`.
  void free_kv(int rank, int blocks, int life);
  [[nodiscard]] int kv_life(int rank) const {
    return ranks_[static_cast<std::size_t>(rank)].life();
  }

  // Abandons the step in hand; none begins until resume(), which says why it stood still.
  void halt();
  void resume(Cause why);
  [[nodiscard]] bool halted() const { return halted_; }
  // Takes the requests of attention ranks that are gone, while halted; `gone` [dp] is all that
  // are. All gone: the instance is down, and takes no requests.
  std::vector<RankRequest> lose_ranks(const std::vector<bool>& gone);
  [[nodiscard]] bool down() const { return down_; }
  // Other room for KV from now on; what will never fit again comes back. While halted.
  std::vector<RankRequest> resize_kv(std::int64_t blocks);

  [[nodiscard]] Candidate candidate() const;
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  // Since the start: in steps, of those waiting for the network, for the host.
  [[nodiscard]] Seconds busy() const { return busy_; }
  [[nodiscard]] Seconds network() const { return network_; }
  [[nodiscard]] Seconds host() const { return host_; }
  // Tokens whose KV went to host memory or came back, all ranks.
  [[nodiscard]] std::int64_t swapped_tokens() const { return swapped_tokens_; }
  // Most KV blocks that one attention rank had in use.
  [[nodiscard]] std::int64_t peak_blocks() const { return peak_blocks_; }
  // Share of the KV blocks in use now, where a rank has `blocks`.
  [[nodiscard]] double kv_used(std::int64_t blocks) const;
  [[nodiscard]] const std::vector<AttentionRank>& ranks() const { return ranks_; }
  [[nodiscard]] const StepModel& model() const { return *model_; }
  [[nodiscard]] StepModel& model() { return *model_; }
  [[nodiscard]] int waiting() const;
  [[nodiscard]] int running() const;

 private:
  void wake();
  void enqueue(std::size_t rank, const RankRequest& request);
  void start_step(PipelineFill fill);
  void end_step(Seconds begin, StepReport report);
  void shed_late(Seconds now);
  std::size_t pick_rank(const BalanceKey& key);
  [[nodiscard]] int planned_tokens() const;
  void record_moves(Seconds now);
  void record(Seconds now, const std::vector<int>& handed_by);

  int id_;
  Machine& machine_;
  Transfers& transfers_;
  Recorder& recorder_;
  Blame& blame_;
  LinkLedger& ledger_;
  std::unique_ptr<StepModel> model_;
  std::vector<AttentionRank> ranks_;
  ServingOptions options_;
  PlanStep plan_;
  QueueLook queue_look_;
  Balance balance_;
  BalanceState balance_state_;
  std::vector<Candidate> candidates_;
  InstanceHooks hooks_;
  StepEvents events_;
  std::vector<double> share_;         // [domains]
  std::vector<std::int64_t> coming_;  // [dp] tokens of requests that are expected
  std::vector<bool> gone_;            // [dp] attention ranks without their GPUs
  bool stepping_ = false;
  bool decoded_ = false;  // the last step held no prompts
  bool halted_ = false;
  bool down_ = false;
  bool draining_ = false;
  std::int64_t halts_ = 0;  // timers of steps that were abandoned mean nothing
  std::int64_t steps_ = 0;
  Seconds busy_{0};
  Seconds network_{0};
  Seconds host_{0};
  std::int64_t peak_blocks_ = 0;
  std::int64_t swapped_tokens_ = 0;
};

}  // namespace moesim
