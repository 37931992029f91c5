// Links and flops of a run, whoever ran it.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tools/walk/collect_parts.hpp"

namespace moesim {

namespace {

// "8 x h100-sxm + 8 x a100-sxm", kinds in the order of the nodes.
std::string gpus_of(const Cluster& cluster) {
  std::vector<std::pair<std::string, int>> kinds;
  for (int n = 0; n < cluster.nodes(); ++n) {
    const std::string& name = cluster.gpu(cluster.first_gpu(NodeId{n})).name;
    auto at = std::ranges::find(kinds, name, &std::pair<std::string, int>::first);
    if (at == kinds.end()) at = kinds.insert(at, {name, 0});
    at->second += cluster.gpus_of(NodeId{n});
  }
  std::string out;
  for (const auto& [name, count] : kinds) {
    out += fmt::format("{}{} x {}", out.empty() ? "" : " + ", count, name);
  }
  return out;
}

}  // namespace

void collect_header(const Scenario& scenario, const Cluster& cluster, Result& result) {
  result.scenario = scenario.name;
  result.seed = scenario.seed;
  result.model = scenario.model.name;
  result.cluster = fmt::format("{} nodes, {}, {}", cluster.nodes(), gpus_of(cluster),
                               scenario.cluster.fabric);
  result.gpu_count = cluster.gpus();
}

void collect_links(const Cluster& cluster, const LinkLedger& ledger, Seconds whole,
                   Seconds exchanging, Result& result) {
  const double duration = std::max(1e-12, whole.value);
  int nics = 0;
  for (int l = 0; l < cluster.links(); ++l) {
    const Link& link = cluster.link(LinkId{l});
    LinkResult r;
    r.name = link.name;
    r.kind = to_text(link.kind);
    r.bandwidth = link.bandwidth;
    r.bytes = ledger.bytes(LinkId{l});
    r.utilization = r.bytes / link.bandwidth / Seconds{duration};
    if (exchanging.value > 0) r.busbw = r.bytes / exchanging;
    if (link.kind == LinkKind::nic) {
      result.utilization.links += r.utilization;
      ++nics;
    }
    result.links.push_back(r);
  }
  if (nics > 0) result.utilization.links /= nics;
}

Flops flops_per_token(const ModelShape& model) {
  const double tables = (model.tied_embeddings ? 1.0 : 2.0) * model.vocab * model.hidden;
  return Flops{2 * (active_params(model) - tables)};
}

FlopsPerSecond peak_flops(const GpuSpec& gpu, Dtype weights) {
  switch (weights) {
    case Dtype::fp8:
    case Dtype::fp8_block:
    case Dtype::w4a8:
      return gpu.fp8_flops.value > 0 ? gpu.fp8_flops : gpu.bf16_flops;
    case Dtype::int8:
      return gpu.int8_flops.value > 0 ? gpu.int8_flops : gpu.bf16_flops;
    case Dtype::fp4:
      return gpu.fp4_flops.value > 0 ? gpu.fp4_flops : gpu.bf16_flops;
    default:
      return gpu.bf16_flops;
  }
}

FlopsPerSecond peak_flops(const Cluster& cluster, Dtype weights) {
  FlopsPerSecond peak{0};
  for (int g = 0; g < cluster.gpus(); ++g) peak += peak_flops(cluster.gpu(GpuId{g}), weights);
  return peak;
}

}  // namespace moesim
