// y[m,n] = alpha * x[m,k] * w[n,k]^T, row-major, through cuBLASLt: to it a column-major
// n x m product of w (transposed) and x, the "TN" form that fp8 and int8 need.
#pragma once

#include <cublasLt.h>

#include <cstdint>

#include "calibrate/cuda/session.h"

namespace moesim_cuda {

// Formats and sizes of one GEMM's operands.
struct GemmFormat {
  int dtype = 0;  // MOESIM_BF16 ...
  [[nodiscard]] Format input() const;
  [[nodiscard]] std::size_t output_bytes() const;  // per element: bf16, or 32-bit for int8
};

class LtGemm {
 public:
  // `alignment`: of every operand that run() will be given, in bytes, a power of two. Throws
  // Refusal where cuBLASLt has no algorithm for it on this GPU.
  LtGemm(Session& session, int dtype, std::int64_t m, std::int64_t n, std::int64_t k,
         double alpha, std::uint32_t alignment);
  LtGemm(LtGemm&&) = delete;

  // w_scale and x_scale: device f32, one each (fp8), or in the layouts of fp8_block:
  //   w: round_up(k / 128, 4) x ceil(n / 128), k fastest; x: padded_rows() x ceil(k / 128),
  //   rows fastest. Unused for other formats. `workspace` of kWorkspace / kWorkspaceParts
  //   bytes.
  struct Operands {
    const void* w = nullptr;
    const void* x = nullptr;
    void* y = nullptr;
    const float* w_scale = nullptr;
    const float* x_scale = nullptr;
    void* workspace = nullptr;
  };
  void run(const Operands& operands, cudaStream_t stream);

  // Rows of x and y that must be there: fp8_block works on multiples of 4.
  [[nodiscard]] std::int64_t padded_rows() const { return rows_; }

 private:
  using Operation = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
  using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;

  void describe(std::int64_t n, std::int64_t k);
  void find_algorithm(std::uint32_t alignment);
  bool ask_for_algorithm(std::uint32_t alignment, std::size_t workspace);

  Session& session_;
  int dtype_;
  std::int64_t rows_;
  float alpha_;
  Operation operation_;
  Layout w_, x_, y_;
  cublasLtMatmulAlgo_t algorithm_{};
  bool chosen_ = false;        // else cuBLASLt chooses as it multiplies
  std::size_t workspace_ = 0;  // bytes of it that may be used
};

// Largest power of two, up to 256, that divides both byte counts.
std::uint32_t common_alignment(std::int64_t a, std::int64_t b);

constexpr int kWorkspaceParts = 8;  // streams that may multiply at once

std::int64_t block_scales_of_weights(std::int64_t n, std::int64_t k);
std::int64_t block_scales_of_rows(std::int64_t m, std::int64_t k);

}  // namespace moesim_cuda
