// A small result with every section filled and names that need escaping.
#pragma once

#include "tools/report/result.hpp"

namespace moesim {

inline Recorder sample_recorder() {
  Recorder recorder({.requests = 4, .warmup = 0.25, .tenants = {"<script>", "a,\"b\""}});
  for (int i = 0; i < 4; ++i) {
    const RequestId id(i);
    const Seconds at{static_cast<double>(i)};
    recorder.arrived(id, at, i % 2, 100, 5);
    if (i == 3) break;
    recorder.first_scheduled(id, at + Seconds{0.25}, 0);
    recorder.first_token(id, at + Seconds{1});
    recorder.token_gaps(Seconds{0.5}, 4);
    recorder.tokens(at + Seconds{1}, 100, 5);
    recorder.finished(id, at + Seconds{3});
  }
  recorder.shed(RequestId(3), Seconds{4});
  return recorder;
}

inline Result sample_result() {
  Result r;
  r.version = "0.1.0";
  r.scenario = "hot <tenant>";
  r.seed = 18446744073709551615ULL;
  r.model = "deepseek-v3";
  r.cluster = "8 x hgx-h200";
  r.gpu_count = 2;
  r.provenance = {{"expert kernels", Provenance::measured, "h200-sxm/sglang", 0.02},
                  {"host", Provenance::assumed, "", 0}};
  SloOptions slo;
  slo.ttft_p99 = Seconds{2};
  slo.tpot_p99 = Seconds{0.05};
  r.summary = summarize(sample_recorder(), slo);
  r.utilization = {0.5, 0.25, 0.125, 0.2, 0.4};
  r.balance.balancedness = 0.8;
  r.gpus.resize(2);
  r.gpus[0].name = "node0.gpu0";
  r.gpus[1].name = "node0,gpu1";
  r.gpus[1].utilization = 0.75;
  r.links = {{"node0.nic0 -> leaf0", "nic", BytesPerSecond{50e9}, Bytes{1e9}, 0.3,
              BytesPerSecond{40e9}}};
  r.experts = {{3, 7, 2, "gpu0 gpu1", 1000, 2.5}};
  r.layers.resize(1);
  BlameReport blame;
  blame.requests = 1;
  blame.latency = Seconds{4};
  blame.seconds[Cause::queueing] = 3;
  blame.seconds[Cause::expert_straggler] = 1;
  blame.gpus = {{GpuId(1), Seconds{1}}};
  blame.experts = {{LayerId(3), ExpertId(7), Seconds{1}}};
  blame.links = {{LinkId(0), Seconds{0.5}}};
  r.blame = {blame};
  return r;
}

}  // namespace moesim
