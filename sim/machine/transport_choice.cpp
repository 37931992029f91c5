// Which measured transport stands for a transport on a GPU.
#include <algorithm>
#include <array>
#include <cmath>

#include "sim/base/files.hpp"
#include "sim/machine/transport_fit.hpp"

namespace moesim {
namespace {

struct Measured {
  std::string_view transport;
  std::string_view library;  // the part of the record's name before the slash
};

// pairwise has no table of its own: DeepEP's normal kernels are the nearest.
constexpr std::array<Measured, 3> kLibraries{{{"low_latency", "deepep_low_latency"},
                                              {"node_dedup", "deepep_normal"},
                                              {"pairwise", "deepep_normal"}}};

// Measured stand-ins, nearest first; a GPU that is measured itself is tried before.
struct Near {
  std::string_view gpu;
  std::array<std::string_view, 2> like;
};
constexpr std::array<Near, 8> kNear{{{"h200", {"h200_sxm", "h100_sxm"}},
                                     {"h100", {"h100_sxm", "h200_sxm"}},
                                     {"h800", {"h100_sxm", "h200_sxm"}},
                                     {"h20", {"h200_sxm", "h100_sxm"}},
                                     {"b300", {"b300_sxm", "b200_sxm"}},
                                     {"b200", {"b200_sxm", "b300_sxm"}},
                                     {"gb300", {"gb300", "gb200"}},
                                     {"gb200", {"gb200", "gb300"}}}};

const std::vector<TransportRecord>& shipped() {
  static const auto records = read_transport_records(
      (data_folder() / "calibrate/profiles/network/transports.csv").string());
  return records;
}

bool take(const std::string& name, TransportFit& fit) {
  bool found = false;
  for (const TransportRecord& record : shipped()) {
    if (record.name != name) continue;
    (record.op == "dispatch" ? fit.dispatch : fit.combine) = record.cost;
    fit.name = name;
    found = true;
  }
  return found;
}

// Nodes were measured together on Hopper alone: another GPU's one-node fit gets its network
// side from there. What grows with the ranks starts at the ranks that were measured.
void add_network_side(TransportCost& cost, const TransportCost& hopper, int measured_ranks) {
  cost.network_inverse = hopper.network_inverse;
  cost.network_sm = hopper.network_sm;
  cost.network_fixed = hopper.network_fixed;
  cost.per_doubling = hopper.per_doubling;
  cost.fixed =
      std::max(Seconds{0}, cost.fixed - hopper.per_doubling *
                                            std::log2(static_cast<double>(measured_ranks)));
}

// The fit of one measured GPU, on one node or several.
bool take_gpu(const std::string& library, const std::string& gpu, TransportFit& fit) {
  if (take(library + "/" + gpu, fit)) return true;
  TransportFit hopper;
  if (!take(library + "_1node/" + gpu, fit) || !take(library + "/h100_sxm", hopper))
    return false;
  const int ranks = gpu.starts_with("gb") ? 4 : 8;
  add_network_side(fit.dispatch, hopper.dispatch, ranks);
  add_network_side(fit.combine, hopper.combine, ranks);
  return true;
}

// Across nodes nothing was measured in good health: 90 % of the NIC is assumed.
TransportFit nccl(std::string_view gpu) {
  TransportFit fit;
  fit.name = "nccl";
  fit.curves = find_curves(gpu);
  fit.dispatch.network_inverse = fit.combine.network_inverse = 1 / 0.9;
  fit.provenance = fit.curves.empty() ? Provenance::assumed : Provenance::extrapolated;
  return fit;
}

}  // namespace

TransportFit find_transport_fit(std::string_view transport, std::string_view gpu) {
  TransportFit fit;
  if (transport == "nccl") return nccl(gpu);
  const auto measured =
      std::find_if(kLibraries.begin(), kLibraries.end(),
                   [&](const Measured& m) { return m.transport == transport; });
  if (measured == kLibraries.end()) return fit;
  const std::string library(measured->library);
  std::string own(gpu);
  std::replace(own.begin(), own.end(), '-', '_');
  if (take_gpu(library, own, fit)) {
    fit.provenance = transport == "pairwise" ? Provenance::extrapolated : Provenance::measured;
    return fit;
  }
  fit.provenance = Provenance::extrapolated;
  for (const Near& near : kNear) {
    if (!gpu.starts_with(near.gpu)) continue;
    for (const std::string_view like : near.like) {
      if (take_gpu(library, std::string(like), fit)) return fit;
    }
  }
  fit.provenance = Provenance::assumed;  // an older or unknown GPU
  take_gpu(library, "h100_sxm", fit);
  return fit;
}

}  // namespace moesim
