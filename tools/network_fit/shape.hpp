// From what a table says was sent to what the busiest GPU of a balanced router carries.
#pragma once

#include <string>
#include <vector>

#include "tools/network_fit/tables.hpp"

namespace moesim::network_fit {

// The chance that none of k distinct experts of `all` falls on a given `part`.
double chance_of_none(double all, double part, int k);

enum class Way { per_expert, per_domain };

struct Shape {
  std::string system;
  int ranks;
  double tokens;
  double hidden;
  int top_k;
  double experts;
  bool fp8;
  int most_nodes = 0;  // group-limited routing; 0: no limit
};

// A uniform router on a grid of nodes.
Sample shaped(const Shape& shape, Way way);

class Samples {
 public:
  void add(Sample sample, const std::string& name, const std::string& op, double us,
           bool held_out) {
    if (!(us > 0)) return;
    sample.name = name;
    sample.op = op;
    sample.measured = Seconds{us * 1e-6};
    sample.held_out = held_out;
    list.push_back(std::move(sample));
  }
  std::vector<Sample> list;
};

}  // namespace moesim::network_fit
