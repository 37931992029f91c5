#include "calibrate/cuda/lt_gemm.h"

#include "calibrate/measure/module_abi.h"

namespace moesim_cuda {
namespace {

std::int64_t round_up(std::int64_t x, std::int64_t to) { return (x + to - 1) / to * to; }

cudaDataType_t input_type(int dtype) {
  if (dtype == MOESIM_BF16) return CUDA_R_16BF;
  return dtype == MOESIM_INT8 ? CUDA_R_8I : CUDA_R_8F_E4M3;
}

template <class T>
void set(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute, T value) {
  check(cublasLtMatmulDescSetAttribute(desc, attribute, &value, sizeof(value)),
        "describing a matrix product to cuBLASLt");
}

}  // namespace

Format GemmFormat::input() const {
  if (dtype == MOESIM_BF16) return Format::bf16;
  return dtype == MOESIM_INT8 ? Format::int8 : Format::fp8;
}

std::size_t GemmFormat::output_bytes() const { return dtype == MOESIM_INT8 ? 4 : 2; }

std::int64_t block_scales_of_weights(std::int64_t n, std::int64_t k) {
  return round_up((k + 127) / 128, 4) * ((n + 127) / 128);
}
std::int64_t block_scales_of_rows(std::int64_t m, std::int64_t k) {
  return round_up(m, 4) * ((k + 127) / 128);
}

LtGemm::LtGemm(Session& session, int dtype, std::int64_t m, std::int64_t n, std::int64_t k,
               double alpha)
    : session_(session),
      dtype_(dtype),
      rows_(dtype == MOESIM_FP8_BLOCK ? round_up(m, 4) : m),
      alpha_(static_cast<float>(alpha)) {
  const int capability = session.properties.major * 10 + session.properties.minor;
  if ((dtype == MOESIM_FP8 || dtype == MOESIM_FP8_BLOCK) && capability < 89) {
    throw Refusal("fp8 needs compute capability 8.9");
  }
  if (dtype == MOESIM_FP8_BLOCK && capability != 90) {
    throw Refusal("cuBLASLt multiplies 128-block scaled fp8 on compute capability 9.0 only");
  }
  describe(n, k);
  find_algorithm();
}

LtGemm::~LtGemm() {
  if (y_ != nullptr) cublasLtMatrixLayoutDestroy(y_);
  if (x_ != nullptr) cublasLtMatrixLayoutDestroy(x_);
  if (w_ != nullptr) cublasLtMatrixLayoutDestroy(w_);
  if (operation_ != nullptr) cublasLtMatmulDescDestroy(operation_);
}

void LtGemm::describe(std::int64_t n, std::int64_t k) {
  const bool int8 = dtype_ == MOESIM_INT8;
  check(cublasLtMatmulDescCreate(&operation_, int8 ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F,
                                 int8 ? CUDA_R_32I : CUDA_R_32F),
        "describing a matrix product to cuBLASLt");
  set(operation_, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  if (dtype_ == MOESIM_FP8) {
    set(operation_, CUBLASLT_MATMUL_DESC_FAST_ACCUM, static_cast<std::int8_t>(1));
  }
  if (dtype_ == MOESIM_FP8_BLOCK) {
#if CUBLAS_VERSION >= 120900
    set(operation_, CUBLASLT_MATMUL_DESC_A_SCALE_MODE,
        static_cast<std::int32_t>(CUBLASLT_MATMUL_MATRIX_SCALE_BLK128x128_32F));
    set(operation_, CUBLASLT_MATMUL_DESC_B_SCALE_MODE,
        static_cast<std::int32_t>(CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F));
#else
    throw Refusal("128-block scaled fp8 needs a module built with cuBLAS 12.9 or newer");
#endif
  }
  const auto columns = static_cast<std::uint64_t>(rows_);
  const cudaDataType_t in = input_type(dtype_);
  check(cublasLtMatrixLayoutCreate(&w_, in, static_cast<std::uint64_t>(k),
                                   static_cast<std::uint64_t>(n), k),
        "describing weights");
  check(cublasLtMatrixLayoutCreate(&x_, in, static_cast<std::uint64_t>(k), columns, k),
        "describing activations");
  check(cublasLtMatrixLayoutCreate(&y_, int8 ? CUDA_R_32I : CUDA_R_16BF,
                                   static_cast<std::uint64_t>(n), columns, n),
        "describing results");
}

void LtGemm::find_algorithm() {
  // Scale pointers take part in the heuristic's alignment check, so they need a value now.
  if (dtype_ == MOESIM_FP8 || dtype_ == MOESIM_FP8_BLOCK) {
    const void* any = session_.workspace.data();
    set(operation_, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, any);
    set(operation_, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, any);
  }
  cublasLtMatmulPreference_t preference = nullptr;
  check(cublasLtMatmulPreferenceCreate(&preference), "asking for an algorithm");
  const std::size_t workspace = kWorkspace / kWorkspaceParts;
  cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                       &workspace, sizeof(workspace));
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  const auto status = cublasLtMatmulAlgoGetHeuristic(session_.lt, operation_, w_, x_, y_, y_,
                                                     preference, 1, &result, &found);
  cublasLtMatmulPreferenceDestroy(preference);
  if (status != CUBLAS_STATUS_SUCCESS || found == 0) {
    throw Refusal(std::string("cuBLASLt has no algorithm: ") + cublasGetStatusString(status));
  }
  algorithm_ = result.algo;
}

void LtGemm::run(const Operands& o, cudaStream_t stream) {
  if (dtype_ == MOESIM_FP8 || dtype_ == MOESIM_FP8_BLOCK) {
    set(operation_, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, static_cast<const void*>(o.w_scale));
    set(operation_, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, static_cast<const void*>(o.x_scale));
  }
  const float zero = 0;
  const std::int32_t one_i = 1, zero_i = 0;
  const bool int8 = dtype_ == MOESIM_INT8;
  const void* alpha = int8 ? static_cast<const void*>(&one_i) : &alpha_;
  const void* beta = int8 ? static_cast<const void*>(&zero_i) : &zero;
  check(cublasLtMatmul(session_.lt, operation_, alpha, o.w, w_, o.x, x_, beta, o.y, y_, o.y, y_,
                       &algorithm_, o.workspace, kWorkspace / kWorkspaceParts, stream),
        "multiplying with cuBLASLt");
}

}  // namespace moesim_cuda
