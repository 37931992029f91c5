#include "sim/serving/pipeline.hpp"

#include <algorithm>

namespace moesim {

namespace {

constexpr double kTokenBytes = 4;

std::vector<GpuId> gpus_of(const StepStage& stage) {
  return {stage.group.gpus().begin(), stage.group.gpus().end()};
}

}  // namespace

Pipeline::Pipeline(const ModelShape& model, const Parallelism& parallel,
                   std::span<const StepStage> stages)
    : row_bytes_(2.0 * model.hidden), tp_(parallel.tp) {
  for (std::size_t s = 0; stages.size() > 1 && s < stages.size(); ++s) {
    const StepStage& next = stages[(s + 1) % stages.size()];
    ways_.emplace_back(next.group.cluster(), gpus_of(stages[s]), gpus_of(next));
  }
}

Seconds Pipeline::hand_on(const StepStage& from, std::span<const StepStage> stages,
                          const StepWork& work, const GroupCollectives& collectives,
                          LinkLedger& ledger) {
  if (ways_.empty()) return Seconds{0};
  const PairTransfer& way = ways_[static_cast<std::size_t>(from.number)];
  const auto tp = static_cast<std::size_t>(tp_);
  bytes_.resize(work.gpu_tokens.size());
  for (std::size_t g = 0; g < bytes_.size(); ++g) {
    const std::size_t d = g / tp;
    bytes_[g] = from.is_last
                    ? kTokenBytes * work.rank_sampled[d] * work.rank_passes[d] / work.times()
                    : row_bytes_ * work.gpu_tokens[g];
  }
  way.account(bytes_, ledger);
  if (from.is_last) return way.time(Bytes{kTokenBytes * work.sampled});
  const Bytes rows{row_bytes_ * work.most_tokens};
  Seconds time = way.time(rows / static_cast<double>(tp_));
  if (tp_ > 1) {
    const RankGroup& rank = stages[static_cast<std::size_t>(from.number) + 1].rank;
    time += collectives.time(GroupOp::all_gather, rank, rows).time;
  }
  return time;
}

Seconds Pipeline::bubble(Seconds once, Seconds slowest, int passes, PipelineFill fill) {
  if (passes <= 1) return Seconds{0};
  if (fill == PipelineFill::empty) return static_cast<double>(passes - 1) * slowest;
  return std::max(Seconds{0}, static_cast<double>(passes) * slowest - once);
}

}  // namespace moesim
