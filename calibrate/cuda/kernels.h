// Memory-bound kernels of a transformer step, written here because they are what is timed:
// each reads its inputs once and writes its outputs once. Rows are contiguous; a row's bytes
// are a multiple of 16. All are asynchronous on `stream` and capturable into a graph.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace moesim_cuda {

enum class Format { bf16, fp8, int8, f32, scale };

std::size_t size_of(Format format);

// Element i depends on (seed, i) alone: uniform in [-1, 1) (int8: [-127, 127]; scale: f32 in
// [0.5, 1.5)). The same on every run.
void fill_random(void* out, std::size_t count, Format format, std::uint64_t seed,
                 cudaStream_t stream);

// `bytes` a multiple of 16. `sink` is never written in practice; it keeps the loads alive.
void read_bytes(const void* in, std::size_t bytes, unsigned* sink, cudaStream_t stream);
void copy_bytes(const void* in, void* out, std::size_t bytes, cudaStream_t stream);

// out[r] = in[index[r]], rows of row_bytes.
void gather_rows(const void* in, void* out, const int* index, int rows, int row_bytes,
                 cudaStream_t stream);

// out[t] = sum over j of weight[t][j] * in[row[t][j]]; bf16 rows of `hidden`, sums in f32.
void weighted_combine(const __nv_bfloat16* in, const int* row, const float* weight,
                      __nv_bfloat16* out, int tokens, int top_k, int hidden,
                      cudaStream_t stream);

// r = x + residual; residual_out = r; out = r / sqrt(mean(r^2) + eps) * gamma.
// hidden a multiple of 8, at most 16384.
void rmsnorm(const __nv_bfloat16* x, const __nv_bfloat16* residual, const __nv_bfloat16* gamma,
             __nv_bfloat16* residual_out, __nv_bfloat16* out, int tokens, int hidden, float eps,
             cudaStream_t stream);

// The top_k largest of each row's scores, largest first, the lower index first among equals,
// and their softmax. experts <= 512, top_k <= 32.
void router_topk(const float* scores, int* ids, float* weights, int tokens, int experts,
                 int top_k, cudaStream_t stream);

// out[r][c] = silu(in[r][c]) * in[r][inter + c]; in: bf16 rows of 2 * inter; out: bf16 or fp8
// (e4m3) rows of inter, inter a multiple of 8.
void swiglu(const __nv_bfloat16* in, void* out, Format out_format, int rows, int inter,
            cudaStream_t stream);

// One query token per sequence over a cache of `kv` tokens.
//   q, out: [batch][heads][dim]; k, v: [batch][kv_heads][kv][dim], readable for 16 rows past
//   their end. heads / kv_heads <= 16; dim 64 or 128; scores scaled by 1 / sqrt(dim).
//   partial: attention_scratch() floats.
struct AttentionArgs {
  const __nv_bfloat16* q;
  const __nv_bfloat16* k;
  const __nv_bfloat16* v;
  __nv_bfloat16* out;
  float* partial;
  int batch, heads, kv_heads, kv, dim;
};
std::size_t attention_scratch(const AttentionArgs& args);
void decode_attention(const AttentionArgs& args, cudaStream_t stream);

void empty_kernel(cudaStream_t stream);

}  // namespace moesim_cuda
