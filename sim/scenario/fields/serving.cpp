#include "sim/serving/options.hpp"

#include "sim/base/registry.hpp"
#include "sim/machine/transport.hpp"
#include "sim/scenario/fields.hpp"
#include "sim/serving/balancing/balancing.hpp"
#include "sim/serving/batching/batching.hpp"

namespace moesim {

namespace {

const FieldTable& pool_fields() {
  using O = PoolOptions;
  static const FieldTable fields{
      "A pool of instances of one role; what is left out is as [serving] says.",
      "",
      {
          field(MOESIM_KEY(nodes), "Nodes of the pool; prefill has the cluster's first ones")
              .range(1, 1 << 20)
              .unset("what the other pool leaves, or half of them"),
          field(MOESIM_KEY(instances), "Engines of the pool").range(1, 1 << 20),
          field(MOESIM_KEY(pp), "Pipeline stages of an instance")
              .range(1, 1 << 12)
              .unset("serving.pp"),
          field(MOESIM_KEY(tp), "GPUs per attention rank")
              .range(1, 1 << 16)
              .unset("serving.tp"),
          field(MOESIM_KEY(dp), "Attention ranks per instance")
              .range(1, 1 << 20)
              .unset("all GPUs of a stage / tp"),
          field(MOESIM_KEY(ep), "GPUs that share the experts of a layer")
              .range(1, 1 << 20)
              .unset("dp x tp"),
          field(MOESIM_KEY(max_batch), "Running requests per attention rank at most")
              .range(1, 1 << 20)
              .unset("serving.max_batch"),
          field(MOESIM_KEY(max_tokens_per_step), "Tokens per attention rank and step at most")
              .range(1, 1 << 24)
              .unset("serving.max_tokens_per_step"),
      }};
  return fields;
}

}  // namespace

const FieldTable& serving_fields() {
  using O = ServingOptions;
  static const FieldTable fields{
      "How an engine batches, and how the model is spread over GPUs.",
      "",
      {
          choice(MOESIM_KEY(mode),
                 "Prefill and decode together, apart, or the steps of [training]",
                 {{"aggregated", ServingMode::aggregated},
                  {"disaggregated", ServingMode::disaggregated},
                  {"training", ServingMode::training}}),
          field(MOESIM_KEY(pp),
                "Pipeline stages: each has its GPUs and a run of the layers, and micro-batches "
                "are on all of them at once; GPUs = instances x pp x dp x tp")
              .range(1, 1 << 12),
          field(MOESIM_KEY(tp), "GPUs per attention rank").range(1, 1 << 16),
          field(MOESIM_KEY(dp), "Attention ranks per instance")
              .range(1, 1 << 20)
              .unset("all GPUs of a stage / tp"),
          field(MOESIM_KEY(ep), "GPUs that share the experts of a layer")
              .range(1, 1 << 20)
              .unset("dp x tp"),
          field(MOESIM_KEY(instances), "Engines; the GPUs are divided evenly")
              .range(1, 1 << 20),
          field(MOESIM_KEY(max_batch), "Running requests per attention rank at most")
              .range(1, 1 << 20),
          field(MOESIM_KEY(max_tokens_per_step),
                "Tokens per attention rank and step at most, prefill and decode together")
              .range(1, 1 << 24),
          field(MOESIM_KEY(batching), "What goes into a step").one_of([] {
            return names_of(batching_policies());
          }),
          field(MOESIM_KEY(chunked_prefill), "Long prompts are cut and mixed with decodes"),
          choice(MOESIM_KEY(overlap), "What hides communication",
                 {{"none", Overlap::none},
                  {"shared_expert", Overlap::shared_expert},
                  {"two_batch", Overlap::two_batch},
                  {"single_batch", Overlap::single_batch}}),
          field(MOESIM_KEY(transport), "Scheme of dispatch and combine").one_of([] {
            Names names = names_of(transports());
            names.insert(names.begin(), "auto");
            return names;
          }),
          field(MOESIM_KEY(overlap_sm_share),
                "two_batch: the part of a GPU's multiprocessors that dispatch and combine hold")
              .range(0, 0.9)
              .unset("20 of 132 for throughput kernels, none for low_latency"),
          field(MOESIM_KEY(network), "Network model").one_of([] {
            return Names{"auto", "bound", "fluid", "simgrid_links", "simgrid_flows"};
          }),
          field(MOESIM_KEY(balancing), "How requests are spread over instances").one_of([] {
            return names_of(balancing_policies());
          }),
          field(MOESIM_KEY(rank_balancing), "How requests are spread over attention ranks")
              .one_of([] { return names_of(balancing_policies()); }),
          field(MOESIM_KEY(memory_fraction), "Of the GPU's memory, for weights and KV cache")
              .above(0, 1),
          field(MOESIM_KEY(kv_block), "Tokens per KV cache block").range(1, 65536),
          field(MOESIM_KEY(preemption),
                "A request that KV runs out for: computed again, or its "
                "KV goes to host memory and back")
              .one_of([] {
                return Names{"recompute", "swap"};
              }),
          field(MOESIM_KEY(swap_space),
                "Host memory per GPU for swapped KV; what does not fit is computed again")
              .range(0),
          field(MOESIM_KEY(prefix_hit_ratio), "Of prompt tokens, found in the prefix cache")
              .range(0, 1),
          field(MOESIM_KEY(speculative_tokens), "Draft tokens accepted per step, on average")
              .range(0, 64),
          field(MOESIM_KEY(receive_interval),
                "Decode steps between two looks at the queue of new requests (SGLang's "
                "scheduler-recv-interval); after a step with prompts it is always looked at")
              .range(1, 1 << 20),
          field(MOESIM_KEY(rank_wait),
                "Steps that prompts wait until every attention rank has some (TensorRT-LLM's "
                "balance of attention DP, timeout_iters)")
              .range(0, 1 << 20),
          field(MOESIM_KEY(batch_wait),
                "Steps that prompts wait until there are enough for a step (TensorRT-LLM's "
                "batch_wait_timeout_iters)")
              .range(0, 1 << 20),
          field(MOESIM_KEY(batch_wait_ratio),
                "Enough: this share of max_tokens_per_step on one attention rank")
              .range(0, 1),
          field(MOESIM_KEY(first_chunk),
                "Output tokens that are out when the client gets its first chunk: engines that "
                "stream in intervals may hold the first ones back. TTFT is longer and TPOT, "
                "which "
                "counts from it, shorter; ITL and E2E are the same")
              .range(1, 1 << 20),
          field(MOESIM_KEY(queue_cap),
                "Waiting requests per instance before one is turned away")
              .range(1)
              .unset("no limit"),
          field(MOESIM_KEY(queue_deadline), "Requests not begun after this are turned away")
              .range(0)
              .unset("never"),
          field(MOESIM_KEY(graph_sizes),
                "Decodes per rank that graphs are captured for; steps are padded to them"),
          field(MOESIM_KEY(kv_transfer),
                "disaggregated: KV goes when the prompt is complete, or layer by layer before")
              .one_of([] {
                return Names{"whole", "layerwise"};
              }),
          field(MOESIM_KEY(on_failure), "Requests on a GPU that dies").one_of([] {
            return Names{"retry", "fail"};
          }),
          field(MOESIM_KEY(recovery_time), "How long an EP group stands still that lost GPUs")
              .range(0),
          table(MOESIM_KEY(prefill), "disaggregated: the pool that computes prompts",
                pool_fields()),
          table(MOESIM_KEY(decode), "disaggregated: the pool that produces tokens",
                pool_fields()),
          field(MOESIM_KEY(step_overhead), "Host time per step")
              .range(0)
              .unset("the profile's"),
          field(MOESIM_KEY(warmup), "First fraction of the requests, left out of percentiles")
              .range(0, 0.99),
      }};
  return fields;
}

}  // namespace moesim
