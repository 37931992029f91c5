// What one attention rank computes in one step.
#pragma once

#include <vector>

namespace moesim {

struct PrefillChunk {
  int tokens = 0;   // prompt tokens computed in this step
  int context = 0;  // tokens of the same prompt already in the KV cache
};

struct RankBatch {
  std::vector<PrefillChunk> chunks;
  int decodes = 0;                    // requests that decode
  double idle = 0;                    // of them, rows of a padded graph: they read no KV
  int decode_tokens = 0;              // rows they put through the model (drafts included)
  double decode_context = 0;          // sum of their KV lengths
  int swapped_tokens = 0;             // whose KV goes to host memory or comes back
  std::vector<double> domain_tokens;  // [domains] rows by their request's domain

  void clear() {
    domain_tokens.assign(domain_tokens.size(), 0.0);
    chunks.clear();
    decodes = 0;
    idle = 0;
    decode_tokens = 0;
    decode_context = 0;
    swapped_tokens = 0;
  }
  [[nodiscard]] int prefill_tokens() const {
    int sum = 0;
    for (const PrefillChunk& chunk : chunks) sum += chunk.tokens;
    return sum;
  }
  [[nodiscard]] int tokens() const { return prefill_tokens() + decode_tokens; }
  // Rows that go through the LM head: every decode, and each chunk (its last token).
  [[nodiscard]] int sampled() const { return decode_tokens + static_cast<int>(chunks.size()); }
};

}  // namespace moesim
