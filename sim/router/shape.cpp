#include "sim/router/shape.hpp"

#include <fmt/format.h>

#include "sim/base/diagnostics.hpp"

namespace moesim {

void check_shape(const RouterShape& shape) {
  Diagnostics faults;
  if (shape.layers < 1 || shape.experts < 1) {
    faults.error(
        {}, fmt::format("a router of {} layers and {} experts", shape.layers, shape.experts),
        "at least one MoE layer and one expert");
  }
  if (shape.top_k < 1 || shape.top_k > shape.experts) {
    faults.error({}, fmt::format("top_k is {} with {} experts", shape.top_k, shape.experts),
                 "top_k between 1 and the number of experts");
  }
  if (shape.hash_layers < 0 || shape.hash_layers > shape.layers) {
    faults.error({}, fmt::format("{} of {} layers are hashed", shape.hash_layers, shape.layers),
                 "hash_layers between 0 and the number of MoE layers");
  }
  if (shape.expert_groups < 1 || shape.experts % shape.expert_groups != 0) {
    faults.error({}, fmt::format("{} experts in {} groups", shape.experts, shape.expert_groups),
                 "groups of equal size");
  } else if (shape.top_groups < 1 || shape.top_groups > shape.expert_groups) {
    faults.error({}, fmt::format("{} of {} groups", shape.top_groups, shape.expert_groups),
                 "top_groups between 1 and expert_groups");
  } else if (shape.top_k > shape.experts / shape.expert_groups * shape.top_groups) {
    faults.error(
        {},
        fmt::format("top_k is {}, but {} groups hold {} experts", shape.top_k, shape.top_groups,
                    shape.experts / shape.expert_groups * shape.top_groups),
        "a smaller top_k or more groups");
  }
  faults.throw_if_errors();
}

}  // namespace moesim
