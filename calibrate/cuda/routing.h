// Which tokens go to which expert in a timed layer. Plain C++: tested without a GPU, since the
// check of a result goes by the same routing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "calibrate/measure/module_abi.h"

namespace moesim_cuda {

// The rows of one expert.
struct Group {
  std::int64_t rows = 0;
  std::int64_t first_row = 0;  // in x and y
  std::int64_t expert = 0;     // whose weights
};

// Which token each row of the experts' input comes from, and where each token's rows are.
// Expert after expert, slot s of all assignments goes to token s mod T (scattered): no expert
// gets a token twice, since none has more than T rows, and every token gets top_k of them.
struct Routing {
  std::vector<Group> groups;        // active experts
  std::vector<int> token_of_row;    // padding rows repeat token 0
  std::vector<int> rows_of_token;   // tokens x top_k
  std::vector<int> expert_of_slot;  // tokens x top_k
  std::vector<float> weight;        // tokens x top_k
};

inline Routing route(const moesim_op& op, bool padded) {
  Routing r;
  const std::int64_t largest = *std::max_element(op.counts, op.counts + op.experts);
  r.rows_of_token.resize(static_cast<std::size_t>(op.tokens * op.top_k));
  r.expert_of_slot.resize(r.rows_of_token.size());
  std::vector<std::int64_t> taken(static_cast<std::size_t>(op.tokens), 0);
  std::int64_t slot = 0;
  for (std::int64_t e = 0; e < op.experts; ++e) {
    const std::int64_t rows = padded ? largest : op.counts[e];
    if (rows > 0) {
      r.groups.push_back({rows, static_cast<std::int64_t>(r.token_of_row.size()), e});
    }
    for (std::int64_t i = 0; i < rows; ++i) {
      if (i >= op.counts[e]) {
        r.token_of_row.push_back(0);
        continue;
      }
      // 1048583 is a prime above any token count: a permutation of the tokens.
      const std::int64_t token = slot++ % op.tokens * 1048583 % op.tokens;
      const auto at =
          static_cast<std::size_t>(token * op.top_k + taken[static_cast<std::size_t>(token)]++);
      r.rows_of_token[at] = static_cast<int>(r.token_of_row.size());
      r.expert_of_slot[at] = static_cast<int>(e);
      r.token_of_row.push_back(static_cast<int>(token));
    }
  }
  r.weight.assign(r.rows_of_token.size(), 1.0f / static_cast<float>(op.top_k));
  return r;
}

}  // namespace moesim_cuda
