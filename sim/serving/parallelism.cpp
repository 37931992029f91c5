#include "sim/serving/parallelism.hpp"

#include <fmt/format.h>

#include <string>

#include "sim/base/diagnostics.hpp"

namespace moesim {

void require_divides(int whole, std::string_view whole_name, int part,
                     std::string_view part_name) {
  if (part > 0 && whole % part == 0) return;
  throw InputError(
      fmt::format("{} = {} is not a multiple of {} = {}", whole_name, whole, part_name, part),
      fmt::format("{} that divides {}", part_name, whole));
}

Parallelism resolve_parallelism(const ServingOptions& options, int cluster_gpus) {
  Parallelism p;
  p.instances = options.instances;
  require_divides(cluster_gpus, "the cluster's GPUs", p.instances, "serving.instances");
  p.gpus = cluster_gpus / p.instances;
  p.pp = options.pp;
  require_divides(p.gpus, "GPUs per instance", p.pp, "serving.pp");
  const int gpus = p.stage_gpus();
  const std::string whole = p.pp > 1 ? "GPUs per stage" : "GPUs per instance";
  p.tp = options.tp;
  require_divides(gpus, whole, p.tp, "serving.tp");
  p.dp = options.dp > 0 ? options.dp : gpus / p.tp;
  if (p.dp * p.tp != gpus) {
    throw InputError(
        fmt::format("serving.dp x serving.tp = {} x {} = {} is not the {} GPUs of {}", p.dp,
                    p.tp, p.dp * p.tp, gpus, p.pp > 1 ? "a stage" : "an instance"),
        fmt::format("serving.dp = {} with serving.tp = {}", gpus / p.tp, p.tp),
        "leave out serving.dp to use all GPUs");
  }
  p.ep = options.ep > 0 ? options.ep : gpus;
  require_divides(gpus, whole, p.ep, "serving.ep");
  p.moe_tp = gpus / p.ep;
  // The GPUs of one attention rank all have its tokens: they send only where a transport is
  // asked for, each its part of them (SGLang's scattered mode under TP attention).
  p.dispatches = p.ep > 1 && (p.dp > 1 || options.transport != "auto");
  return p;
}

}  // namespace moesim
