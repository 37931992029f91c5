#include "sim/serving/measured_exchange.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "calibrate/profile.hpp"

namespace moesim {

std::vector<CollectiveCurve> measured_exchanges(const ClusterCosts& costs, GpuId gpu) {
  const int kind = costs.kind_of(gpu);
  const Profile& profile = costs.of_kind(kind).profile();
  std::vector<CollectiveCurve> out;
  if (profile.gpu != costs.gpu(kind)) return out;
  for (const ExchangeCurve& curve : profile.exchanges) {
    if (curve.ranks < 2 || curve.kernel != "nccl" || curve.pattern != "uniform") continue;
    out.push_back({profile.gpu, "nccl", "alltoall", curve.ranks, curve.bytes, curve.seconds});
  }
  return out;
}

TransportFit transport_fit(std::string_view transport, std::string_view gpu,
                           const std::vector<CollectiveCurve>& measured) {
  TransportFit fit = find_transport_fit(transport, gpu);
  if (transport != "nccl" || measured.empty()) return fit;
  std::erase_if(fit.curves,
                [](const CollectiveCurve& curve) { return curve.op == "alltoall"; });
  fit.curves.insert(fit.curves.end(), measured.begin(), measured.end());
  fit.provenance = Provenance::measured;
  return fit;
}

ExchangeNote exchange_note(const ClusterCosts& costs, GpuId gpu, bool uses_nccl) {
  const int kind = costs.kind_of(gpu);
  if (costs.of_kind(kind).profile().exchanges.empty()) return {};
  const std::string whose = "profile " + costs.profile(kind);
  const std::vector<CollectiveCurve> curves = measured_exchanges(costs, gpu);
  if (curves.empty()) {
    return {"shipped tables: " + whose + " has no all-to-all between GPUs of this kind",
            Provenance::imported};
  }
  if (!uses_nccl) {
    return {"shipped tables: those of " + whose + " are for serving.transport = nccl",
            Provenance::imported};
  }
  std::string ranks;
  for (const CollectiveCurve& curve : curves) {
    ranks += fmt::format("{}{}", ranks.empty() ? "" : ", ", curve.ranks);
  }
  return {whose + ": nccl between " + ranks + " GPUs", Provenance::measured};
}

}  // namespace moesim
