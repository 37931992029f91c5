// Decode attention by split KV: a block takes 256 tokens of one sequence and KV head for all
// query heads that share it, and a second kernel merges the splits by their log-sum-exp.
// Within a block the scores of all its tokens are known before the values are read, so no
// running maximum is needed. Tensor cores do the products: with 8 query heads per KV head the
// ordinary units would be the bottleneck, not the memory.
#include <mma.h>

#include "calibrate/cuda/kernels.h"

namespace moesim_cuda {
namespace {

namespace wmma = nvcuda::wmma;

constexpr int kSplit = 256;  // tokens of a block
constexpr int kRows = 16;    // query heads of a KV head, padded
constexpr int kWarps = 4;
constexpr int kBlock = 32 * kWarps;
// Strides in shared memory, padded against bank conflicts; multiples of 8 elements.
constexpr int kScoreStride = kSplit + 8;

using QueryTile = wmma::fragment<wmma::matrix_a, 16, 16, 16, __nv_bfloat16, wmma::row_major>;
using KeyTile = wmma::fragment<wmma::matrix_b, 16, 16, 16, __nv_bfloat16, wmma::col_major>;
using ValueTile = wmma::fragment<wmma::matrix_b, 16, 16, 16, __nv_bfloat16, wmma::row_major>;
using Sum = wmma::fragment<wmma::accumulator, 16, 16, 16, float>;

// Of one split and query head: dim values, then the maximum and the sum of exponentials.
__host__ __device__ constexpr int partial_size(int dim) { return dim + 2; }

template <int D>
struct Shared {
  float score[kRows][kScoreStride];
  __nv_bfloat16 weight[kRows][kScoreStride];
  union {
    __nv_bfloat16 query[kRows][D + 8];
    float value[kRows][D + 8];  // after the queries are used up
  };
  float largest[kRows];
  float mass[kRows];
};

// scores[r][t] = q[r] . k[t] for the 16-token tiles of this warp.
template <int D>
__device__ void score_tiles(Shared<D>& s, const __nv_bfloat16* k, int tiles, int warp) {
  QueryTile q[D / 16];
#pragma unroll
  for (int d = 0; d < D / 16; ++d) wmma::load_matrix_sync(q[d], &s.query[0][16 * d], D + 8);
  for (int tile = warp; tile < tiles; tile += kWarps) {
    KeyTile key[D / 16];
#pragma unroll
    for (int d = 0; d < D / 16; ++d) {
      wmma::load_matrix_sync(key[d], k + static_cast<std::size_t>(tile) * 16 * D + 16 * d, D);
    }
    Sum sum;
    wmma::fill_fragment(sum, 0.0f);
#pragma unroll
    for (int d = 0; d < D / 16; ++d) wmma::mma_sync(sum, q[d], key[d], sum);
    wmma::store_matrix_sync(&s.score[0][16 * tile], sum, kScoreStride, wmma::mem_row_major);
  }
}

// Eight lanes share a row: its maximum, exponentials and their sum over `count` valid tokens.
template <int D>
__device__ void softmax_rows(Shared<D>& s, int tiles, int count, float scale) {
  const int row = threadIdx.x / 8;
  const int lane = threadIdx.x % 8;
  float largest = -INFINITY;
  for (int t = lane; t < count; t += 8) largest = fmaxf(largest, s.score[row][t] * scale);
#pragma unroll
  for (int o = 4; o > 0; o /= 2) largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, o));
  float mass = 0;
  for (int t = lane; t < 16 * tiles; t += 8) {
    const float w = t < count ? __expf(s.score[row][t] * scale - largest) : 0.0f;
    s.weight[row][t] = __float2bfloat16(w);
    mass += w;
  }
#pragma unroll
  for (int o = 4; o > 0; o /= 2) mass += __shfl_xor_sync(~0u, mass, o);
  if (lane == 0) s.largest[row] = largest, s.mass[row] = mass;
}

// values[r][d] = sum over t of weight[r][t] * v[t][d], each warp its own columns.
template <int D>
__device__ void value_tiles(Shared<D>& s, const __nv_bfloat16* v, int tiles, int warp) {
  constexpr int kOwn = D / 16 / kWarps;  // 16-column tiles of a warp
  Sum sum[kOwn];
#pragma unroll
  for (int c = 0; c < kOwn; ++c) wmma::fill_fragment(sum[c], 0.0f);
#pragma unroll 4
  for (int tile = 0; tile < tiles; ++tile) {
    QueryTile weight;
    wmma::load_matrix_sync(weight, &s.weight[0][16 * tile], kScoreStride);
#pragma unroll
    for (int c = 0; c < kOwn; ++c) {
      ValueTile value;
      wmma::load_matrix_sync(
          value, v + static_cast<std::size_t>(tile) * 16 * D + 16 * (warp * kOwn + c), D);
      wmma::mma_sync(sum[c], weight, value, sum[c]);
    }
  }
#pragma unroll
  for (int c = 0; c < kOwn; ++c) {
    wmma::store_matrix_sync(&s.value[0][16 * (warp * kOwn + c)], sum[c], D + 8,
                            wmma::mem_row_major);
  }
}

template <int D>
__global__ void __launch_bounds__(kBlock) split_kernel(AttentionArgs a) {
  __shared__ __align__(32) Shared<D> s;
  const int split = blockIdx.x, head = blockIdx.y, sequence = blockIdx.z;
  const int group = a.heads / a.kv_heads;
  const int warp = threadIdx.x / 32;
  const int count = min(kSplit, a.kv - split * kSplit);
  const int tiles = (count + 15) / 16;
  const std::size_t cache =
      ((static_cast<std::size_t>(sequence) * a.kv_heads + head) * a.kv + split * kSplit) * D;
  const std::size_t first_head = static_cast<std::size_t>(sequence) * a.heads + head * group;

  for (int i = threadIdx.x; i < kRows * D; i += kBlock) {
    const int r = i / D, d = i % D;
    s.query[r][d] = r < group ? a.q[(first_head + r) * D + d] : __float2bfloat16(0.0f);
  }
  __syncthreads();
  score_tiles<D>(s, a.k + cache, tiles, warp);
  __syncthreads();
  softmax_rows<D>(s, tiles, count, rsqrtf(static_cast<float>(D)));
  __syncthreads();
  value_tiles<D>(s, a.v + cache, tiles, warp);
  __syncthreads();

  for (int i = threadIdx.x; i < group * D; i += kBlock) {
    const int r = i / D, d = i % D;
    if (gridDim.x == 1) {
      a.out[(first_head + r) * D + d] = __float2bfloat16(s.value[r][d] / s.mass[r]);
      continue;
    }
    float* to = a.partial + ((first_head + r) * gridDim.x + split) * partial_size(D);
    to[d] = s.value[r][d];
    if (d == 0) to[D] = s.largest[r], to[D + 1] = s.mass[r];
  }
}

// One block per query head, one thread per dimension.
__global__ void merge_kernel(const float* partial, __nv_bfloat16* out, int splits, int dim) {
  const std::size_t head = blockIdx.x;
  const int d = threadIdx.x;
  const float* from = partial + head * splits * partial_size(dim);
  float largest = -INFINITY;
  for (int i = 0; i < splits; ++i) largest = fmaxf(largest, from[i * partial_size(dim) + dim]);
  float value = 0, mass = 0;
  for (int i = 0; i < splits; ++i) {
    const float* p = from + i * partial_size(dim);
    const float w = __expf(p[dim] - largest);
    value += w * p[d];
    mass += w * p[dim + 1];
  }
  out[head * dim + d] = __float2bfloat16(value / mass);
}

int splits_of(const AttentionArgs& a) { return (a.kv + kSplit - 1) / kSplit; }

}  // namespace

std::size_t attention_scratch(const AttentionArgs& a) {
  return static_cast<std::size_t>(a.batch) * a.heads * splits_of(a) * partial_size(a.dim);
}

void decode_attention(const AttentionArgs& a, cudaStream_t stream) {
  const int splits = splits_of(a);
  const dim3 grid(splits, a.kv_heads, a.batch);
  if (a.dim == 128) split_kernel<128><<<grid, kBlock, 0, stream>>>(a);
  if (a.dim == 64) split_kernel<64><<<grid, kBlock, 0, stream>>>(a);
  if (splits > 1) {
    merge_kernel<<<a.batch * a.heads, a.dim, 0, stream>>>(a.partial, a.out, splits, a.dim);
  }
}

}  // namespace moesim_cuda
