// What a transport costs beyond its bytes over the links' bandwidth, as fitted to measurements.
//
//   time = fixed + per_doubling log2(ranks) + per_expert experts_per_rank
//        + network_fixed if it leaves a domain + x + fill x / (x + fill)
//   x       = (local^p + network^p)^(1/p), p = power: how far the two overlap
//   local   = bytes / NVLink bandwidth x max3(local_inverse, local_sm / sms) x (1 +
//   half_row/row) network = bytes / NIC bandwidth x max3(network_inverse, network_sm / sms)
//   max3(a, b) = (a^3 + b^3)^(1/3)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/provenance.hpp"
#include "sim/base/units.hpp"
#include "sim/machine/collective_curves.hpp"

namespace moesim {

struct TransportCost {
  Seconds fixed{0};
  Seconds per_doubling{0};
  Seconds per_expert{0};
  Seconds network_fixed{0};
  double local_inverse = 1;    // 1 / efficiency of the NVLink bandwidth
  double network_inverse = 1;  // 1 / efficiency of the NIC bandwidth
  Bytes half_row{0};           // rows of this size get half of the NVLink efficiency
  double local_sm = 0;         // the part that more SMs take away
  double network_sm = 0;
  double power = 16;  // 1: one after the other; large: fully overlapped
  Seconds fill{0};    // of the pipeline

  friend bool operator==(const TransportCost&, const TransportCost&) = default;
};

struct TransportFit {
  std::string name = "ideal";  // "deepep_low_latency/h100_sxm"
  TransportCost dispatch;
  TransportCost combine;
  // Of an all-to-all inside a domain, by ranks: where there are any they take the place of the
  // local part of the formula (NCCL, whose time is no formula of size).
  std::vector<CollectiveCurve> curves;
  int sms = 20;  // GPU multiprocessors that copy
  Provenance provenance = Provenance::assumed;

  friend bool operator==(const TransportFit&, const TransportFit&) = default;
};

struct Efficiency {
  double local = 1;
  double network = 1;
};

// The part of the formula that does not depend on bytes.
Seconds overhead_of(const TransportCost& cost, int ranks, int domains, double experts_per_rank);

// Of the links' bandwidth, for a collective whose busiest GPU would take `local` and `network`
// at full bandwidth: scales both so that the slower one takes x + fill x / (x + fill).
Efficiency efficiency_of(const TransportCost& cost, Bytes row, int sms, Seconds local,
                         Seconds network);

// One line of calibrate/profiles/network/transports.csv.
struct TransportRecord {
  std::string name;
  std::string op;  // dispatch, combine
  TransportCost cost;
  int trained = 0;          // measured points the fit saw
  int held_out = 0;         // and those it did not
  double median_error = 0;  // on the held-out points, |predicted / measured - 1|
  double p90_error = 0;
  std::string source;
};

// Throws WorldError for an unreadable file, InputError for a malformed line.
std::vector<TransportRecord> read_transport_records(const std::string& path);
std::string write_transport_records(const std::vector<TransportRecord>& records);

// The shipped fit for a transport ("low_latency") on a GPU ("h200-sxm"); of the nearest GPU
// that was measured where there is none (extrapolated), ideal where nothing is near (assumed).
TransportFit find_transport_fit(std::string_view transport, std::string_view gpu);

}  // namespace moesim
