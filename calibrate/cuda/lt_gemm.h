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
  // Throws Refusal where cuBLASLt has no algorithm for it on this GPU.
  LtGemm(Session& session, int dtype, std::int64_t m, std::int64_t n, std::int64_t k,
         double alpha);
  ~LtGemm();
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
  void describe(std::int64_t n, std::int64_t k);
  void find_algorithm();

  Session& session_;
  int dtype_;
  std::int64_t rows_;
  float alpha_;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t w_ = nullptr, x_ = nullptr, y_ = nullptr;
  cublasLtMatmulAlgo_t algorithm_{};
};

constexpr int kWorkspaceParts = 8;  // streams that may multiply at once

std::int64_t block_scales_of_weights(std::int64_t n, std::int64_t k);
std::int64_t block_scales_of_rows(std::int64_t m, std::int64_t k);

}  // namespace moesim_cuda
