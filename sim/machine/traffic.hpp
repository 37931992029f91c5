// What one collective moves, in block form: ranks that see the same shares have one row.
//
//   bytes from rank s to rank d = weight[s] * share[group[s], d]
//
// Relayed traffic crosses the network once per (source, domain): weight[s] *
// share_domain[group[s], n] goes to the GPU of the sender's lane in domain n, which
// hands the pair bytes on inside the domain. What counts as one flow is that: per source GPU
// and same-lane GPU on the network, per GPU pair inside a domain. All flows start together
// (chunks are pipelined).
#pragma once

#include <span>
#include <vector>

#include "sim/machine/machine.hpp"
#include "sim/machine/rank_group.hpp"
#include "sim/machine/share_rows.hpp"

namespace moesim {

enum class Direction { forward, backward };  // backward: every flow reversed (combine)

struct Traffic {
  const RankGroup* ranks = nullptr;
  Direction direction = Direction::forward;
  std::span<const int> group;               // [ranks]
  std::span<const double> weight;           // [ranks] bytes
  const ShareRows* share = nullptr;         // [groups * ranks]
  const ShareRows* share_domain = nullptr;  // [groups * domains]; none: nothing is relayed
  Bytes padded_pair{0};                     // > 0: every pair but self sends this many instead
  double local_efficiency = 1;              // of the link bandwidth, inside a domain
  double network_efficiency = 1;            // between domains
  Seconds overhead{0};                      // before the first byte

  [[nodiscard]] bool relayed() const { return share_domain != nullptr; }
  // Unpadded bytes from rank s to every rank: out [ranks].
  void bytes_from(std::size_t s, std::span<double> out) const;
  // What crosses the network between two ranks of different domains, as data flows.
  [[nodiscard]] double network_bytes(int from, int to) const;
};

// Those of rank_flows.hpp between GPUs.
std::vector<Flow> flows_of(const Traffic& traffic);

// A full matrix [ranks * ranks] of bytes as traffic; owns its arrays.
class MatrixTraffic {
 public:
  MatrixTraffic(const RankGroup& ranks, const std::vector<double>& bytes);
  MatrixTraffic(const MatrixTraffic&) = delete;  // the traffic refers to the arrays
  MatrixTraffic& operator=(const MatrixTraffic&) = delete;
  [[nodiscard]] const Traffic& traffic() const { return traffic_; }

 private:
  ShareRows bytes_;
  std::vector<double> ones_;
  std::vector<int> rows_;
  Traffic traffic_;
};

}  // namespace moesim
