// Clusters and traffic that several tests use.
#pragma once

#include "sim/base/rng.hpp"
#include "sim/machine/collective.hpp"
#include "topology/cluster.hpp"

namespace moesim::testing {

using namespace literals;

// 450 GB/s and 1 us inside the node; 50 GB/s NICs, 2 us each way, .5 us per switch.
inline ClusterOptions hopper(int nodes) {
  ClusterOptions options;
  options.node.nvlink_bandwidth = 450_GBps;
  options.node.nic_bandwidth = 50_GBps;
  options.nodes = nodes;
  return options;
}

inline std::vector<GpuId> all_gpus(const Cluster& cluster) {
  std::vector<GpuId> gpus;
  for (int g = 0; g < cluster.gpus(); ++g) gpus.emplace_back(g);
  return gpus;
}

inline std::vector<double> uniform_matrix(int ranks, Bytes each) {
  return std::vector<double>(static_cast<std::size_t>(ranks * ranks), each.value);
}

// Destinations differ by a lognormal factor, pairs by a smaller one.
inline std::vector<double> skewed_matrix(int ranks, Bytes mean, double cv, std::uint64_t seed) {
  Stream random(seed, "matrix");
  std::vector<double> popularity;
  for (int d = 0; d < ranks; ++d) popularity.push_back(random.lognormal(1, cv));
  std::vector<double> matrix;
  for (int s = 0; s < ranks; ++s) {
    for (int d = 0; d < ranks; ++d) {
      matrix.push_back(mean.value * popularity[static_cast<std::size_t>(d)] *
                       random.lognormal(1, 0.2));
    }
  }
  return matrix;
}

// Every pair has a lognormal factor of its own.
inline std::vector<double> uneven_matrix(int ranks, Bytes mean, double cv, std::uint64_t seed) {
  Stream random(seed, "pairs");
  std::vector<double> matrix;
  for (int i = 0; i < ranks * ranks; ++i)
    matrix.push_back(mean.value * random.lognormal(1, cv));
  return matrix;
}

}  // namespace moesim::testing
