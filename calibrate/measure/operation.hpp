// One thing that can be timed on a device, with its shape. A flat value: which fields count
// depends on the kind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/dtype.hpp"
#include "sim/base/units.hpp"

namespace moesim {

// Numbers are part of module_abi.h.
enum class OpKind {
  gemm = 0,              // m x n x k: y[m,n] = x[m,k] w[n,k]^T
  experts = 1,           // permute, gate/up, SwiGLU, down, weighted combine of one layer
  read = 2,              // `bytes` read
  copy = 3,              // `bytes` read and as many written
  permute = 4,           // tokens * top_k rows of hidden gathered
  combine = 5,           // tokens rows, each the weighted sum of top_k rows of hidden
  rmsnorm = 6,           // tokens x hidden, with the residual add
  router_topk = 7,       // tokens x experts scores -> top_k
  decode_attention = 8,  // batch queries over kv_tokens of cache each
  graph_node = 9,        // one empty kernel inside a graph
  stream_launch = 10,    // one empty kernel launched on a stream
  all_to_all = 11,       // `bytes` sent per rank
};

// How the experts' unequal GEMMs are run; kept apart in every table.
enum class ExpertBackend {
  strided_batch = 0,
  multi_stream = 1,
  grouped_batched = 2,
  lt_grouped = 3
};

// Of tokens over experts, or of bytes over destinations.
enum class ExchangePattern {
  uniform = 0,
  zipf = 1,
  one_hot = 2,
  incast = 3,
  pairs = 4,
  skewed = 5
};

std::string_view to_text(OpKind kind);
std::string_view to_text(ExpertBackend backend);
std::string_view to_text(ExchangePattern pattern);

struct Operation {
  OpKind kind = OpKind::gemm;
  Dtype dtype = Dtype::bf16;
  ExpertBackend backend = ExpertBackend::multi_stream;
  ExchangePattern pattern = ExchangePattern::uniform;
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t tokens = 0, hidden = 0, intermediate = 0, experts = 0, top_k = 0;
  std::int64_t batch = 0, kv_tokens = 0, heads = 0, kv_heads = 0, head_dim = 0;
  std::int64_t bytes = 0;
  std::int64_t ranks = 0;
  std::vector<std::int64_t> counts = {};  // assignments per expert; their sum is tokens * top_k

  friend bool operator==(const Operation&, const Operation&) = default;
};

// "gemm fp8 m=64 n=4096 k=7168": unique per operation, for messages and sorting.
std::string to_text(const Operation& op);

// Of operations, by how their texts begin: "gemm fp8 ", "experts". Empty: all.
struct Selection {
  std::vector<std::string> only = {};
  std::vector<std::string> without = {};
};
bool selects(const Selection& selection, const Operation& op);
// The beginning that all operations of the same code on the device share: "gemm fp8 ".
std::string family_of(const Operation& op);

// Multiplications and additions of the tensor cores; 0 for memory-bound kernels.
Flops flops_of(const Operation& op);
// The least that must cross the memory bus: weights of active experts, activations once.
Bytes bytes_of(const Operation& op);

// tokens * top_k assignments over `experts`, no expert with more than `tokens` of them.
// uniform: as even as can be; zipf: proportional to 1 / rank; one_hot: one expert takes every
// token, the others share the rest evenly.
std::vector<std::int64_t> expert_counts(ExchangePattern pattern, std::int64_t tokens,
                                        std::int64_t experts, std::int64_t top_k);

std::int64_t active_experts(const Operation& op);
std::int64_t most_loaded(const Operation& op);

}  // namespace moesim
