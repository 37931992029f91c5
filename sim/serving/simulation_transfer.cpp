// KV on its way from a prefill to a decode instance.
//
// It goes from the GPUs of its attention rank to those of the rank that will decode it, over
// the cluster's links, which it shares with other transfers and with the steps' collectives.
// GQA heads are divided over the receiving GPUs; an MLA latent goes to each. `whole`: all of it
// when the prompt's first token is out. `layerwise`: each layer's as the layer is computed, so
// that only what the way cannot carry meanwhile, and the last layer's, is left by then. The
// prefill rank holds its blocks until all is there. Stages send the layers that they hold to
// the stages that will hold them, however many the two pools have.
#include <algorithm>

#include "sim/serving/simulation.hpp"

namespace moesim {

namespace {

LayerRange common(LayerRange a, LayerRange b) {
  return {std::max(a.first, b.first), std::min(a.end, b.end)};
}

}  // namespace

// Of a layer's KV between two stages that both hold it, from GPU to GPU of the two ranks.
std::vector<Flow> Simulation::kv_flows(int from, int from_rank, int to, int to_rank,
                                       int tokens) const {
  const ModelShape& model = deployment_.model;
  const Parallelism& sends = pool(from).parallel;
  const Parallelism& gets = pool(to).parallel;
  const int shards = model.attention.kind == AttentionKind::mla
                         ? 1
                         : std::min(gets.tp, std::max(1, model.attention.kv_heads));
  std::vector<Flow> flows;
  for (int s = 0; s < sends.pp; ++s) {
    for (int g = 0; g < gets.pp; ++g) {
      const LayerRange both =
          common(layers_of(model, sends.pp, s), layers_of(model, gets.pp, g));
      if (both.count() <= 0) continue;
      const Bytes each = kv_bytes(model, tokens, both) / static_cast<double>(shards);
      const int src = stage_gpu(from, s).value + from_rank * sends.tp;
      const int dst = stage_gpu(to, g).value + to_rank * gets.tp;
      for (int r = 0; r < gets.tp; ++r) {
        flows.push_back(
            {.src = GpuId{src + r * sends.tp / gets.tp}, .dst = GpuId{dst + r}, .bytes = each});
      }
    }
  }
  return flows;
}

// The share of the KV that has not left when the prompt is complete; `computing` is how long it
// took. Before that a transfer is taken to have what the collectives of steps leave of its way.
double Simulation::left_to_send(const std::vector<Flow>& flows, Seconds computing) {
  if (deployment_.serving.kv_transfer != "layerwise") return 1;
  Seconds whole{0};
  for (const Flow& flow : flows) whole = std::max(whole, transfers_->alone(flow));
  const double last_layer = 1.0 / deployment_.model.layers;
  return whole.value > 0 ? std::max(last_layer, 1 - computing / whole) : 1;
}

void Simulation::hand_over(int from, const RankRequest& request, int rank, Seconds now) {
  const BalanceKey key{static_cast<std::uint64_t>(request.domain), 0};
  const std::optional<int> to = pick(decode_, key, decode_balance_);
  const int blocks = request.blocks;
  const int life = instances_[static_cast<std::size_t>(from)]->kv_life(rank);
  if (!to) {  // computed anew once there is somebody to decode it
    RankRequest again = request;
    again.prompt_left = again.context;
    again.context = 0;
    instances_[static_cast<std::size_t>(from)]->free_kv(rank, blocks, life);
    if (awaits_return()) {
      held_.retries.push_back(again);
    } else {
      fail(again);
    }
    return;
  }
  Instance& decode = *instances_[static_cast<std::size_t>(*to)];
  const int to_rank = decode.expect(request, key);
  std::vector<Flow> flows = kv_flows(from, rank, *to, to_rank, request.context);
  const RequestRecord& record = recorder_->records()[RequestId{request.request}.index()];
  const Seconds begun = record.first_scheduled;
  const double left = left_to_send(flows, now - begun);
  if (left < 1) {
    std::vector<Flow> gone = flows;
    for (Flow& flow : gone) flow.bytes *= 1 - left;
    transfers_->book(gone, std::vector<Seconds>(gone.size(), now), begun);
    for (Flow& flow : flows) flow.bytes *= left;
  }
  transfers_->start(flows, [this, from, rank, blocks, life, &decode, to_rank,
                            request](std::span<const Seconds>) {
    instances_[static_cast<std::size_t>(from)]->free_kv(rank, blocks, life);
    blame_->waits(RequestId{request.request}, machine_.now(), Cause::kv_transfer);
    const bool there = decode.has_rank(to_rank);
    decode.accept_at(to_rank, request);
    if (there) return;
    RankRequest again = request;
    again.prompt_left = again.context;
    again.context = 0;
    give_up({again});
  });
}

}  // namespace moesim
