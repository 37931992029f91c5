#include <cuda_fp8.h>

#include <cmath>

#include "calibrate/cuda/kernels.h"

namespace moesim_cuda {
namespace {

constexpr int kThreads = 256;

// splitmix64's finaliser: a bijection that mixes well enough for data nobody can predict.
__device__ std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// In [0, 1).
__device__ float uniform(std::uint64_t seed, std::size_t i) {
  return static_cast<float>(mix(seed ^ mix(i)) >> 40) * 0x1p-24f;
}

__global__ void fill_kernel(void* out, std::size_t count, Format format, std::uint64_t seed) {
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x;
       i < count; i += stride) {
    const float u = uniform(seed, i);
    const float x = 2 * u - 1;
    switch (format) {
      case Format::bf16:
        static_cast<__nv_bfloat16*>(out)[i] = __float2bfloat16(x);
        break;
      case Format::fp8:
        static_cast<__nv_fp8_e4m3*>(out)[i] = __nv_fp8_e4m3(x);
        break;
      case Format::int8:
        static_cast<signed char*>(out)[i] = static_cast<signed char>(rintf(127 * x));
        break;
      case Format::f32:
        static_cast<float*>(out)[i] = x;
        break;
      case Format::scale:
        static_cast<float*>(out)[i] = 0.5f + u;
        break;
    }
  }
}

__global__ void read_kernel(const uint4* in, std::size_t count, unsigned* sink) {
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x;
  unsigned sum = 0;
  for (; i + 3 * stride < count; i += 4 * stride) {
    const uint4 a = in[i], b = in[i + stride], c = in[i + 2 * stride], d = in[i + 3 * stride];
    sum += a.x ^ a.y ^ a.z ^ a.w ^ b.x ^ b.y ^ b.z ^ b.w;
    sum += c.x ^ c.y ^ c.z ^ c.w ^ d.x ^ d.y ^ d.z ^ d.w;
  }
  for (; i < count; i += stride) {
    const uint4 a = in[i];
    sum += a.x ^ a.y ^ a.z ^ a.w;
  }
  // One chance in four billion per thread, and harmless: the value is never used.
  if (sum == 0x9e3779b9u) *sink = sum;
}

__global__ void copy_kernel(const uint4* in, uint4* out, std::size_t count) {
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x;
  for (; i + 3 * stride < count; i += 4 * stride) {
    const uint4 a = in[i], b = in[i + stride], c = in[i + 2 * stride], d = in[i + 3 * stride];
    out[i] = a;
    out[i + stride] = b;
    out[i + 2 * stride] = c;
    out[i + 3 * stride] = d;
  }
  for (; i < count; i += stride) out[i] = in[i];
}

__global__ void gather_kernel(const uint4* in, uint4* out, const int* index, int row_vectors) {
  const std::size_t row = blockIdx.x;
  const uint4* from = in + static_cast<std::size_t>(index[row]) * row_vectors;
  uint4* to = out + row * row_vectors;
  for (int i = threadIdx.x; i < row_vectors; i += blockDim.x) to[i] = from[i];
}

// Eight bf16 of one 16-byte vector, as f32.
struct Eight {
  float value[8];
};

__device__ Eight widen(uint4 packed) {
  Eight e;
  const auto* pair = reinterpret_cast<const __nv_bfloat162*>(&packed);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 f = __bfloat1622float2(pair[i]);
    e.value[2 * i] = f.x;
    e.value[2 * i + 1] = f.y;
  }
  return e;
}

__device__ uint4 narrow(const Eight& e) {
  uint4 packed;
  auto* pair = reinterpret_cast<__nv_bfloat162*>(&packed);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    pair[i] = __floats2bfloat162_rn(e.value[2 * i], e.value[2 * i + 1]);
  }
  return packed;
}

__global__ void combine_kernel(const uint4* in, const int* row, const float* weight, uint4* out,
                               int top_k, int row_vectors) {
  const std::size_t token = blockIdx.x;
  for (int i = threadIdx.x; i < row_vectors; i += blockDim.x) {
    Eight sum{};
    for (int j = 0; j < top_k; ++j) {
      const std::size_t from = row[token * top_k + j];
      const float w = weight[token * top_k + j];
      const Eight x = widen(in[from * row_vectors + i]);
#pragma unroll
      for (int c = 0; c < 8; ++c) sum.value[c] += w * x.value[c];
    }
    out[token * row_vectors + i] = narrow(sum);
  }
}

__device__ float warp_sum(float x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(~0u, x, offset);
  return x;
}

constexpr int kNormVectors = 8;  // per thread: hidden <= 8 * 256 * 8 = 16384

__global__ void rmsnorm_kernel(const uint4* x, const uint4* residual, const uint4* gamma,
                               uint4* residual_out, uint4* out, int row_vectors, float eps) {
  const std::size_t base = blockIdx.x * static_cast<std::size_t>(row_vectors);
  Eight held[kNormVectors];
  float squares = 0;
#pragma unroll
  for (int v = 0; v < kNormVectors; ++v) {
    const int i = threadIdx.x + v * kThreads;
    if (i >= row_vectors) continue;
    const Eight a = widen(x[base + i]);
    const Eight b = widen(residual[base + i]);
#pragma unroll
    for (int c = 0; c < 8; ++c) {
      held[v].value[c] = a.value[c] + b.value[c];
      squares += held[v].value[c] * held[v].value[c];
    }
    residual_out[base + i] = narrow(held[v]);
  }
  __shared__ float sums[kThreads / 32];
  squares = warp_sum(squares);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = squares;
  __syncthreads();
  float total = 0;
#pragma unroll
  for (int w = 0; w < kThreads / 32; ++w) total += sums[w];
  const float scale = rsqrtf(total / (8.0f * row_vectors) + eps);
#pragma unroll
  for (int v = 0; v < kNormVectors; ++v) {
    const int i = threadIdx.x + v * kThreads;
    if (i >= row_vectors) continue;
    const Eight g = widen(gamma[i]);
#pragma unroll
    for (int c = 0; c < 8; ++c) held[v].value[c] *= scale * g.value[c];
    out[base + i] = narrow(held[v]);
  }
}

constexpr int kLaneScores = 16;  // experts <= 32 * 16

// One warp per token: top_k rounds of "largest score not yet taken".
__global__ void topk_kernel(const float* scores, int* ids, float* weights, int tokens,
                            int experts, int top_k) {
  const int token = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  const int lane = threadIdx.x % 32;
  if (token >= tokens) return;
  float mine[kLaneScores];
#pragma unroll
  for (int v = 0; v < kLaneScores; ++v) {
    const int e = lane + 32 * v;
    mine[v] = e < experts ? scores[static_cast<std::size_t>(token) * experts + e] : -INFINITY;
  }
  float kept = -INFINITY;  // lane j keeps the j-th winner's score
  int kept_id = 0;
  for (int j = 0; j < top_k; ++j) {
    float best = -INFINITY;
    int best_id = experts;
#pragma unroll
    for (int v = 0; v < kLaneScores; ++v) {
      if (mine[v] > best) best = mine[v], best_id = lane + 32 * v;
    }
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) {
      const float other = __shfl_xor_sync(~0u, best, offset);
      const int other_id = __shfl_xor_sync(~0u, best_id, offset);
      if (other > best || (other == best && other_id < best_id)) {
        best = other;
        best_id = other_id;
      }
    }
    if (lane == j) kept = best, kept_id = best_id;
#pragma unroll
    for (int v = 0; v < kLaneScores; ++v) {
      if (lane + 32 * v == best_id) mine[v] = -INFINITY;
    }
  }
  const float largest = __shfl_sync(~0u, kept, 0);
  const float mass = lane < top_k ? expf(kept - largest) : 0.0f;
  const float total = warp_sum(mass);
  if (lane < top_k) {
    ids[static_cast<std::size_t>(token) * top_k + lane] = kept_id;
    weights[static_cast<std::size_t>(token) * top_k + lane] = mass / total;
  }
}

__global__ void swiglu_kernel(const uint4* in, void* out, bool to_fp8, int row_vectors) {
  const std::size_t row = blockIdx.x;
  const uint4* gate = in + row * 2 * row_vectors;
  for (int i = threadIdx.x; i < row_vectors; i += blockDim.x) {
    Eight g = widen(gate[i]);
    const Eight u = widen(gate[row_vectors + i]);
#pragma unroll
    for (int c = 0; c < 8; ++c) {
      g.value[c] = g.value[c] / (1 + __expf(-g.value[c])) * u.value[c];
    }
    const std::size_t at = row * row_vectors + i;
    if (to_fp8) {
      __align__(8) __nv_fp8_e4m3 eight[8];
#pragma unroll
      for (int c = 0; c < 8; ++c) eight[c] = __nv_fp8_e4m3(g.value[c]);
      static_cast<uint2*>(out)[at] = *reinterpret_cast<const uint2*>(eight);
    } else {
      static_cast<uint4*>(out)[at] = narrow(g);
    }
  }
}

__global__ void nothing_kernel() {}

// Enough blocks to fill the largest GPU a few times over, no more than there is work.
unsigned blocks_for(std::size_t items) {
  constexpr std::size_t most = 132 * 16;
  const std::size_t wanted = (items + kThreads - 1) / kThreads;
  return static_cast<unsigned>(wanted < 1 ? 1 : wanted > most ? most : wanted);
}

int threads_for(int vectors) {
  int threads = 32;
  while (threads < vectors && threads < kThreads) threads *= 2;
  return threads;
}

}  // namespace

std::size_t size_of(Format format) {
  switch (format) {
    case Format::bf16:
      return 2;
    case Format::fp8:
    case Format::int8:
      return 1;
    case Format::f32:
    case Format::scale:
      return 4;
  }
  return 0;
}

void fill_random(void* out, std::size_t count, Format format, std::uint64_t seed,
                 cudaStream_t stream) {
  fill_kernel<<<blocks_for(count), kThreads, 0, stream>>>(out, count, format, seed);
}

void read_bytes(const void* in, std::size_t bytes, unsigned* sink, cudaStream_t stream) {
  const std::size_t count = bytes / 16;
  read_kernel<<<blocks_for(count), kThreads, 0, stream>>>(static_cast<const uint4*>(in), count,
                                                          sink);
}

void copy_bytes(const void* in, void* out, std::size_t bytes, cudaStream_t stream) {
  const std::size_t count = bytes / 16;
  copy_kernel<<<blocks_for(count), kThreads, 0, stream>>>(static_cast<const uint4*>(in),
                                                          static_cast<uint4*>(out), count);
}

void gather_rows(const void* in, void* out, const int* index, int rows, int row_bytes,
                 cudaStream_t stream) {
  const int vectors = row_bytes / 16;
  gather_kernel<<<rows, threads_for(vectors), 0, stream>>>(
      static_cast<const uint4*>(in), static_cast<uint4*>(out), index, vectors);
}

void weighted_combine(const __nv_bfloat16* in, const int* row, const float* weight,
                      __nv_bfloat16* out, int tokens, int top_k, int hidden,
                      cudaStream_t stream) {
  const int vectors = hidden / 8;
  combine_kernel<<<tokens, threads_for(vectors), 0, stream>>>(
      reinterpret_cast<const uint4*>(in), row, weight, reinterpret_cast<uint4*>(out), top_k,
      vectors);
}

void rmsnorm(const __nv_bfloat16* x, const __nv_bfloat16* residual, const __nv_bfloat16* gamma,
             __nv_bfloat16* residual_out, __nv_bfloat16* out, int tokens, int hidden, float eps,
             cudaStream_t stream) {
  rmsnorm_kernel<<<tokens, kThreads, 0, stream>>>(
      reinterpret_cast<const uint4*>(x), reinterpret_cast<const uint4*>(residual),
      reinterpret_cast<const uint4*>(gamma), reinterpret_cast<uint4*>(residual_out),
      reinterpret_cast<uint4*>(out), hidden / 8, eps);
}

void router_topk(const float* scores, int* ids, float* weights, int tokens, int experts,
                 int top_k, cudaStream_t stream) {
  constexpr int warps = 4;
  topk_kernel<<<(tokens + warps - 1) / warps, 32 * warps, 0, stream>>>(scores, ids, weights,
                                                                       tokens, experts, top_k);
}

void swiglu(const __nv_bfloat16* in, void* out, Format out_format, int rows, int inter,
            cudaStream_t stream) {
  const int vectors = inter / 8;
  swiglu_kernel<<<rows, threads_for(vectors), 0, stream>>>(
      reinterpret_cast<const uint4*>(in), out, out_format == Format::fp8, vectors);
}

void empty_kernel(cudaStream_t stream) { nothing_kernel<<<1, 32, 0, stream>>>(); }

}  // namespace moesim_cuda
