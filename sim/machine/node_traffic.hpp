// Bytes from every node to every other one, both directions of a collective alike.
#pragma once

#include <span>
#include <vector>

#include "sim/machine/traffic.hpp"

namespace moesim {

class NodeTraffic {
 public:
  explicit NodeTraffic(int nodes);

  // Adds the collective `times` over. What stays inside a node is left out; relayed rows count
  // once per destination domain, as they cross the network.
  void add(const Traffic& traffic, double times);

  [[nodiscard]] int nodes() const { return nodes_; }
  [[nodiscard]] const std::vector<double>& bytes() const {
    return bytes_;
  }  // [from * nodes + to]

 private:
  void add_pair(Direction direction, std::size_t from, std::size_t to, double bytes);
  // `node` [ranks]: where each rank is.
  void add_direct(const Traffic& t, std::span<const std::size_t> node, double times);
  void add_relayed(const Traffic& t, std::span<const std::size_t> node, double times);

  int nodes_;
  std::vector<double> bytes_;
};

}  // namespace moesim
