#include "sim/training/gradients.hpp"

#include <algorithm>
#include <numeric>

#include "sim/serving/cluster_costs.hpp"

namespace moesim {

namespace {

std::vector<GpuId> every(int first, int stride, int count) {
  std::vector<GpuId> gpus;
  for (int i = 0; i < count; ++i) gpus.emplace_back(first + i * stride);
  return gpus;
}

}  // namespace

GradientSync::GradientSync(const ModelShape& model, const TrainingOptions& options,
                           const TrainingLayout& layout, const Cluster& cluster,
                           const ClusterCosts& costs, int stage)
    : options_(options),
      shared_(cluster, every(layout.first_gpu(stage), layout.tp, layout.dp)),
      experts_(cluster, every(layout.first_gpu(stage), layout.ep, layout.replicas)),
      collectives_(cluster.gpu(GpuId{layout.first_gpu(stage)}).name),
      tp_(layout.tp),
      ep_(layout.ep),
      first_gpu_(layout.first_gpu(stage)),
      stage_gpus_(layout.stage_gpus) {
  const GroupOp op = options.shard_optimizer ? GroupOp::reduce_scatter : GroupOp::all_reduce;
  const double each = info(options.gradients).weight_bytes;
  const LayerRange layers = layers_of(model, layout.stages, stage);
  for (int layer = layers.first; layer < layers.end; ++layer) {
    const TrainedWeights w = layer_weights(model, layout, layer);
    layers_.push_back(exchange(op, w, each));
    all_.add(w);
  }
  const TrainedWeights ends = end_weights(model, layout, stage);
  const bool head = stage == layout.stages - 1;
  const bool embedding = stage == 0;
  const double parts = head && embedding ? 0.5 : 1.0;
  if (head) head_ = parts * exchange(op, ends, each);
  if (embedding) embedding_ = parts * exchange(op, ends, each);
  all_.add(ends);
  // Adam reads gradient and state, and writes state and weight.
  const double dp = options.shard_optimizer ? layout.dp : 1;
  const double replicas = options.shard_optimizer ? layout.replicas : 1;
  const double own = all_.shared / dp + all_.experts / replicas;
  const double params = std::max(1.0, all_.shared + all_.experts);
  const double weight_bytes = all_.bytes.value / params;
  const Bytes moved{own * (each + 2 * kOptimizerBytes + weight_bytes)};
  for (const GpuId gpu : every(first_gpu_, 1, stage_gpus_)) {
    update_ = std::max(update_, costs.of(gpu).memory_bound(moved));
  }
  if (options.shard_optimizer) gather_ = exchange(GroupOp::all_gather, all_, weight_bytes);
}

Seconds GradientSync::exchange(GroupOp op, const TrainedWeights& weights,
                               double bytes_each) const {
  return collectives_.time(op, shared_, Bytes{weights.shared * bytes_each}).time +
         collectives_.time(op, experts_, Bytes{weights.experts * bytes_each}).time;
}

Seconds GradientSync::reduce_time() const {
  return std::accumulate(layers_.begin(), layers_.end(), head_ + embedding_);
}

Seconds GradientSync::reduced(std::span<const Seconds> ready, Seconds end) const {
  if (!options_.overlap_gradients) return end + reduce_time();
  Seconds at = ready.back() + head_;
  for (std::size_t l = layers_.size(); l-- > 0;) at = std::max(at, ready[l]) + layers_[l];
  return std::max(at, end) + embedding_;
}

// A reduction sends every rank's buffer (n - 1) / n times to its neighbour in the ring, and so
// does gathering; an all-reduce is both (nccl-tests, PERFORMANCE.md).
void GradientSync::account(LinkLedger& ledger) const {
  const Cluster& cluster = shared_.cluster();
  const double each = info(options_.gradients).weight_bytes;
  const double weight_bytes = all_.bytes.value / std::max(1.0, all_.shared + all_.experts);
  const auto ring = [&](int stride, double params) {
    const int n = stage_gpus_ / stride;
    if (n <= 1 || params <= 0) return;
    const double bytes =
        params * (options_.shard_optimizer ? each + weight_bytes : 2 * each) * (n - 1) / n;
    for (int g = 0; g < stage_gpus_; ++g) {
      const GpuId from{first_gpu_ + g};
      const GpuId to{first_gpu_ + (g + stride) % stage_gpus_};
      const Path path = cluster.path(from, to);
      for (const LinkId link : path.links()) ledger.add(link, bytes);
    }
  };
  ring(tp_, all_.shared);
  ring(ep_, all_.experts);
}

}  // namespace moesim
