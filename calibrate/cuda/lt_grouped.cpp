// The grouped matrix layouts of cuBLASLt (experimental since cuBLAS 13.2): shapes and pointers
// lie on the device, one kernel serves all groups. Looked up at run time, since the toolkit at
// hand may be older than the library; the numbers below are those of its header.
#include <dlfcn.h>

#include "calibrate/cuda/grouped_gemm.h"
#include "calibrate/cuda/lt_gemm.h"
#include "calibrate/measure/module_abi.h"

namespace moesim_cuda {
namespace {

using CreateLayout = cublasStatus_t (*)(cublasLtMatrixLayout_t*, cudaDataType_t, int,
                                        const void* rows, const void* columns, const void* ld);

constexpr int kRowsColumnsWidth = 12;  // CUBLASLT_GROUPED_MATRIX_LAYOUT_..._INTEGER_WIDTH
constexpr int kLeadingWidth = 13;
constexpr std::int32_t kWidth64 = 1;  // CUBLASLT_INTEGER_WIDTH_64
constexpr int kAverageDepth = 13;     // CUBLASLT_MATMUL_PREF_GROUPED_AVERAGE_REDUCTION_DIM
constexpr int kAverageRows = 14;      // ..._GROUPED_DESC_D_AVERAGE_ROWS
constexpr int kAverageColumns = 15;

class LtGrouped final : public GroupedGemm {
 public:
  LtGrouped(Session& session, GroupedShape shape)
      : session_(session),
        shape_(std::move(shape)),
        create_(reinterpret_cast<CreateLayout>(
            dlsym(RTLD_DEFAULT, "cublasLtGroupedMatrixLayoutCreate"))) {
    if (create_ == nullptr) {
      throw Refusal("this cuBLASLt has no grouped matrix layout (13.2 or newer has)");
    }
    if (session.properties.major < 9)
      throw Refusal("grouped layouts need compute capability 9");
    describe_operation();
    for (const auto& groups : shape_.copies) tables_.push_back(table(groups));
    find_algorithm();
  }
  ~LtGrouped() override {
    for (Table& t : tables_) {
      for (cublasLtMatrixLayout_t layout : {t.w_layout, t.x_layout, t.y_layout}) {
        if (layout != nullptr) cublasLtMatrixLayoutDestroy(layout);
      }
    }
    if (operation_ != nullptr) cublasLtMatmulDescDestroy(operation_);
  }

  void run(cudaStream_t stream, int copy) override {
    const Table& t = tables_[static_cast<std::size_t>(copy)];
    const auto alpha = static_cast<float>(shape_.alpha);
    const float beta = 0;
    check(cublasLtMatmul(session_.lt, operation_, &alpha, t.w, t.w_layout, t.x, t.x_layout,
                         &beta, t.y, t.y_layout, t.y_out, t.y_layout, &algorithm_,
                         session_.workspace.data(), session_.workspace.bytes(), stream),
          "multiplying with grouped cuBLASLt layouts");
  }

 private:
  struct Table {
    cublasLtMatrixLayout_t w_layout = nullptr, x_layout = nullptr, y_layout = nullptr;
    const void* w = nullptr;  // device arrays of device pointers
    const void* x = nullptr;
    const void* y = nullptr;
    void* y_out = nullptr;
  };

  void describe_operation() {
    check(cublasLtMatmulDescCreate(&operation_, CUBLAS_COMPUTE_32F, CUDA_R_32F),
          "describing a grouped product");
    const cublasOperation_t transpose = CUBLAS_OP_T;
    check(cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_TRANSA, &transpose,
                                         sizeof(transpose)),
          "describing a grouped product");
    if (shape_.dtype != MOESIM_FP8) return;
    const std::int8_t fast = 1;
    cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast,
                                   sizeof(fast));
    const void* w = shape_.w_scale;
    const void* x = shape_.x_scale;
    cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &w,
                                   sizeof(w));
    cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &x,
                                   sizeof(x));
  }

  cublasLtMatrixLayout_t layout(cudaDataType_t type, std::size_t groups,
                                const std::int64_t* rows, const std::int64_t* columns,
                                const std::int64_t* leading) {
    cublasLtMatrixLayout_t made = nullptr;
    if (create_(&made, type, static_cast<int>(groups), rows, columns, leading) !=
        CUBLAS_STATUS_SUCCESS) {
      throw Refusal("cuBLASLt refused a grouped layout");
    }
    for (const int attribute : {kRowsColumnsWidth, kLeadingWidth}) {
      const auto status = cublasLtMatrixLayoutSetAttribute(
          made, static_cast<cublasLtMatrixLayoutAttribute_t>(attribute), &kWidth64,
          sizeof(kWidth64));
      if (status != CUBLAS_STATUS_SUCCESS) {
        cublasLtMatrixLayoutDestroy(made);
        throw Refusal("cuBLASLt refused 64-bit sizes in a grouped layout");
      }
    }
    return made;
  }

  Table table(const std::vector<Group>& groups) {
    const cudaDataType_t in = shape_.dtype == MOESIM_FP8 ? CUDA_R_8F_E4M3 : CUDA_R_16BF;
    std::vector<std::int64_t> rows;
    std::vector<const void*> w, x;
    std::vector<void*> y;
    for (const Group& g : groups) {
      const GroupOperands at = operands_of(shape_, g);
      w.push_back(at.w), x.push_back(at.x), y.push_back(at.y), rows.push_back(g.rows);
    }
    const std::size_t count = groups.size();
    const auto* n = session_.upload(std::vector<std::int64_t>(count, shape_.n));
    const auto* k = session_.upload(std::vector<std::int64_t>(count, shape_.k));
    const auto* m = session_.upload(rows);
    Table t;
    t.w_layout = layout(in, count, k, n, k);
    t.x_layout = layout(in, count, k, m, k);
    t.y_layout = layout(CUDA_R_16BF, count, n, m, n);
    t.w = session_.upload(w);
    t.x = session_.upload(x);
    t.y = session_.upload(y);
    t.y_out = const_cast<void*>(t.y);
    return t;
  }

  void find_algorithm() {
    cublasLtMatmulPreference_t preference = nullptr;
    check(cublasLtMatmulPreferenceCreate(&preference), "asking for an algorithm");
    const auto set = [&](int attribute, const auto& value) {
      cublasLtMatmulPreferenceSetAttribute(
          preference, static_cast<cublasLtMatmulPreferenceAttributes_t>(attribute), &value,
          sizeof(value));
    };
    std::int64_t rows = 0;
    for (const Group& g : shape_.copies[0]) rows += g.rows;
    const auto groups = static_cast<std::int64_t>(shape_.copies[0].size());
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, session_.workspace.bytes());
    const std::int64_t element = shape_.dtype == MOESIM_BF16 ? 2 : 1;
    const std::uint32_t alignment = common_alignment(shape_.k * element, shape_.n * 2);
    for (const int operand : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                              CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                              CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                              CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      set(operand, alignment);
    }
    set(kAverageRows, shape_.n);
    set(kAverageColumns, std::int64_t{rows / groups + 1});
    set(kAverageDepth, shape_.k);
    cublasLtMatmulHeuristicResult_t result{};
    int found = 0;
    const Table& t = tables_[0];
    const auto status =
        cublasLtMatmulAlgoGetHeuristic(session_.lt, operation_, t.w_layout, t.x_layout,
                                       t.y_layout, t.y_layout, preference, 1, &result, &found);
    cublasLtMatmulPreferenceDestroy(preference);
    if (status != CUBLAS_STATUS_SUCCESS || found == 0) {
      throw Refusal("cuBLASLt has no algorithm for grouped layouts");
    }
    algorithm_ = result.algo;
  }

  Session& session_;
  GroupedShape shape_;
  CreateLayout create_;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatmulAlgo_t algorithm_{};
  std::vector<Table> tables_;
};

}  // namespace

std::unique_ptr<GroupedGemm> make_lt_grouped(Session& session, GroupedShape shape) {
  return std::make_unique<LtGrouped>(session, std::move(shape));
}

}  // namespace moesim_cuda
