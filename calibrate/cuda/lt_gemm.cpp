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

std::uint32_t common_alignment(std::int64_t a, std::int64_t b) {
  std::uint32_t alignment = 256;
  while ((a % alignment) != 0 || (b % alignment) != 0) alignment /= 2;
  return alignment;
}

LtGemm::LtGemm(Session& session, int dtype, std::int64_t m, std::int64_t n, std::int64_t k,
               double alpha, std::uint32_t alignment)
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
  find_algorithm(alignment);
}

void LtGemm::describe(std::int64_t n, std::int64_t k) {
  const bool int8 = dtype_ == MOESIM_INT8;
  cublasLtMatmulDesc_t made = nullptr;
  check(cublasLtMatmulDescCreate(&made, int8 ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F,
                                 int8 ? CUDA_R_32I : CUDA_R_32F),
        "describing a matrix product to cuBLASLt");
  operation_.reset(made);
  set(made, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  if (dtype_ == MOESIM_FP8) {
    set(made, CUBLASLT_MATMUL_DESC_FAST_ACCUM, static_cast<std::int8_t>(1));
  }
  if (dtype_ == MOESIM_FP8_BLOCK) {
#if CUBLAS_VERSION >= 120900
    set(made, CUBLASLT_MATMUL_DESC_A_SCALE_MODE,
        static_cast<std::int32_t>(CUBLASLT_MATMUL_MATRIX_SCALE_BLK128x128_32F));
    set(made, CUBLASLT_MATMUL_DESC_B_SCALE_MODE,
        static_cast<std::int32_t>(CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F));
#else
    throw Refusal("128-block scaled fp8 needs a module built with cuBLAS 12.9 or newer");
#endif
  }
  const auto layout = [](cudaDataType_t type, std::int64_t rows, std::int64_t columns) {
    cublasLtMatrixLayout_t l = nullptr;
    check(cublasLtMatrixLayoutCreate(&l, type, static_cast<std::uint64_t>(rows),
                                     static_cast<std::uint64_t>(columns), rows),
          "describing a matrix to cuBLASLt");
    return Layout(l);
  };
  w_ = layout(input_type(dtype_), k, n);
  x_ = layout(input_type(dtype_), k, rows_);
  y_ = layout(int8 ? CUDA_R_32I : CUDA_R_16BF, n, rows_);
}

// cuBLASLt's own first choice, as an engine would take it.
bool LtGemm::ask_for_algorithm(std::uint32_t alignment, std::size_t workspace) {
  cublasLtMatmulPreference_t made = nullptr;
  check(cublasLtMatmulPreferenceCreate(&made), "asking for an algorithm");
  const Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy> preference(made);
  const auto prefer = [made](cublasLtMatmulPreferenceAttributes_t attribute,
                             const auto& value) {
    check(cublasLtMatmulPreferenceSetAttribute(made, attribute, &value, sizeof(value)),
          "asking for an algorithm");
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment);
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  const auto status =
      cublasLtMatmulAlgoGetHeuristic(session_.lt, operation_.get(), w_.get(), x_.get(),
                                     y_.get(), y_.get(), made, 1, &result, &found);
  chosen_ =
      status == CUBLAS_STATUS_SUCCESS && found > 0 && result.state == CUBLAS_STATUS_SUCCESS;
  algorithm_ = result.algo;
  workspace_ = workspace;
  return chosen_;
}

void LtGemm::find_algorithm(std::uint32_t alignment) {
  // Scale pointers take part in the heuristic's alignment check, so they need a value now.
  if (dtype_ == MOESIM_FP8 || dtype_ == MOESIM_FP8_BLOCK) {
    const void* any = session_.workspace.data();
    set(operation_.get(), CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, any);
    set(operation_.get(), CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, any);
  }
  if (ask_for_algorithm(alignment, kWorkspace / kWorkspaceParts)) return;
  if (ask_for_algorithm(alignment, 0)) return;
  // For int8 some versions name no algorithm when asked, and yet have one as they multiply.
  if (dtype_ != MOESIM_INT8) throw Refusal("cuBLASLt has no algorithm");
}

void LtGemm::run(const Operands& o, cudaStream_t stream) {
  if (dtype_ == MOESIM_FP8 || dtype_ == MOESIM_FP8_BLOCK) {
    set(operation_.get(), CUBLASLT_MATMUL_DESC_A_SCALE_POINTER,
        static_cast<const void*>(o.w_scale));
    set(operation_.get(), CUBLASLT_MATMUL_DESC_B_SCALE_POINTER,
        static_cast<const void*>(o.x_scale));
  }
  const float zero = 0;
  const std::int32_t one_i = 1, zero_i = 0;
  const bool int8 = dtype_ == MOESIM_INT8;
  const void* alpha = int8 ? static_cast<const void*>(&one_i) : &alpha_;
  const void* beta = int8 ? static_cast<const void*>(&zero_i) : &zero;
  check(cublasLtMatmul(session_.lt, operation_.get(), alpha, o.w, w_.get(), o.x, x_.get(), beta,
                       o.y, y_.get(), o.y, y_.get(), chosen_ ? &algorithm_ : nullptr,
                       workspace_ > 0 ? o.workspace : nullptr, workspace_, stream),
        "multiplying with cuBLASLt");
}

}  // namespace moesim_cuda
