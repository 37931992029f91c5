// Experts that take only so many tokens, and what happens to the others.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace moesim {

enum class Overflow {
  none,     // no limit
  drop,     // past the limit a token skips the expert (residual path)
  reroute,  // it takes its next best expert that has room
  pad,      // as drop, and every expert computes its full capacity
};

// Throws InputError that lists the four.
Overflow parse_overflow(std::string_view name);

// ceil(factor x tokens x top_k / experts) tokens per expert: GShard (2006.16668), Switch
// Transformer (2101.03961, eq. 3).
int expert_capacity(double factor, int tokens, int top_k, int experts);

// One layer's counts after overflow. `kept` is what the experts compute on real tokens;
// `padded` is added to it as padding. Sums: routed = sum(kept) + dropped; rerouted is part of
// kept.
struct CapacityResult {
  std::vector<int> kept;    // per expert, with what was rerouted to it
  std::vector<int> padded;  // per expert; zero unless `pad`
  int overflowed = 0;       // assignments beyond their first choice's capacity
  int dropped = 0;          // of them, those that no expert took
  int rerouted = 0;         // of them, those that another expert took
};

// `next_best` says where rerouted tokens go: to experts with room, in proportion to the chance
// that they are a token's next choice. Reuses out's memory.
void apply_capacity(std::span<const int> counts, std::span<const float> next_best, int capacity,
                    Overflow overflow, CapacityResult& out);

}  // namespace moesim
