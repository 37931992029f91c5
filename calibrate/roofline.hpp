// The six-parameter roofline that every kernel falls back to.
#pragma once

namespace moesim {

// T = t0 + ((flops / P)^p + (weight bytes / BW)^p)^(1/p) + activation bytes / BW_a, with
// P = peak x compute x m / (m + m_half), m the tokens per active expert (rows of the GEMM):
// small batches leave the tensor cores partly empty.
struct Roofline {
  double fixed_s = 8e-6;          // t0
  double compute = 0.6;           // share of the peak flops reached
  double bandwidth = 0.8;         // share of the peak bandwidth reached by weights
  double half_rows = 24;          // m_half
  double sharpness = 3;           // p
  double activation_share = 0.6;  // share of the peak bandwidth reached by activations

  friend bool operator==(const Roofline&, const Roofline&) = default;
};

struct RooflineWork {
  double flops = 0;
  double weight_bytes = 0;
  double activation_bytes = 0;
  double rows = 0;  // per GEMM
};

// Seconds; `peak` in flops/s and bytes/s.
double roofline_time(const Roofline& fit, const RooflineWork& work, double peak_flops,
                     double peak_bandwidth);

// One MoE layer's routed experts: gate/up and down GEMMs of `active` experts over `assignments`
// rows of `hidden`, `intermediate` wide.
RooflineWork expert_work(double assignments, double active, double hidden, double intermediate,
                         double weight_bytes, double activation_bytes, bool gated);

// A dense GEMM of m x k times k x n.
RooflineWork gemm_work(double m, double n, double k, double weight_bytes,
                       double activation_bytes);

}  // namespace moesim
