// Why is p99 high? The causes of the slowest requests, and who the stragglers were.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/metrics/blame.hpp"
#include "sim/metrics/catalog.hpp"
#include "sim/metrics/recorder.hpp"

namespace moesim {

// Mean seconds per request of the set.
struct BlamedGpu {
  GpuId gpu;
  Seconds seconds{0};
};
struct BlamedExpert {
  LayerId layer;
  ExpertId expert;
  Seconds seconds{0};
};
struct BlamedLayer {
  LayerId layer;
  Seconds seconds{0};
};
struct BlamedLink {
  LinkId link;
  Seconds seconds{0};
};

struct BlameReport {
  MetricId metric = MetricId::e2el;
  double slowest_share = 0.01;
  std::int64_t requests = 0;
  Seconds latency{0};    // mean of the set's; the causes add up to it
  CauseSeconds seconds;  // mean per request. tpot: per output token after the first
  // The largest few, by seconds and then by number.
  std::vector<BlamedGpu> gpus;
  std::vector<BlamedLayer> layers;
  std::vector<BlamedExpert> experts;
  std::vector<BlamedLink> links;
};

// Of the counted finished requests, the slowest `slowest_share` (at least one; 1: all) by
// `metric`: e2el, ttft or tpot. Ties go to the earlier request.
BlameReport blame_of_slowest(const Blame& blame, const Recorder& recorder, MetricId metric,
                             double slowest_share = 0.01, std::size_t top = 5);

}  // namespace moesim
