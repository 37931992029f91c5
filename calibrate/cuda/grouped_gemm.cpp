#include "calibrate/cuda/grouped_gemm.h"

#include <array>
#include <map>

#include "calibrate/cuda/lt_gemm.h"
#include "calibrate/measure/module_abi.h"

namespace moesim_cuda {
namespace {

// One cuBLASLt product per active expert, spread over eight streams.
class MultiStream final : public GroupedGemm {
 public:
  MultiStream(Session& session, GroupedShape shape)
      : session_(session), shape_(std::move(shape)) {
    // Operands begin at any row.
    const std::int64_t element = shape_.dtype == MOESIM_BF16 ? 2 : 1;
    const std::uint32_t alignment = common_alignment(shape_.k * element, shape_.n * 2);
    for (const auto& groups : shape_.copies) {
      for (const Group& g : groups) {
        if (gemms_.count(g.rows) != 0) continue;
        gemms_.emplace(g.rows, std::make_unique<LtGemm>(session, shape_.dtype, g.rows, shape_.n,
                                                        shape_.k, shape_.alpha, alignment));
      }
    }
    for (Stream& stream : streams_) stream = make_stream();
    for (Event& event : joins_) event = make_event(cudaEventDisableTiming);
  }

  void run(cudaStream_t stream, int copy) override {
    const auto& groups = shape_.copies[static_cast<std::size_t>(copy)];
    const std::size_t used = std::min(streams_.size(), groups.size());
    check(cudaEventRecord(fork_.get(), stream), "forking streams");
    for (std::size_t i = 0; i < used; ++i) {
      check(cudaStreamWaitEvent(streams_[i].get(), fork_.get()), "forking streams");
    }
    for (std::size_t i = 0; i < groups.size(); ++i) multiply(groups[i], i % used);
    for (std::size_t i = 0; i < used; ++i) {
      check(cudaEventRecord(joins_[i].get(), streams_[i].get()), "joining streams");
      check(cudaStreamWaitEvent(stream, joins_[i].get()), "joining streams");
    }
  }

 private:
  void multiply(const Group& group, std::size_t lane) {
    const GroupOperands at = operands_of(shape_, group);
    LtGemm::Operands o;
    o.w = at.w, o.x = at.x, o.y = at.y;
    o.w_scale = shape_.w_scale, o.x_scale = shape_.x_scale;
    o.workspace = session_.workspace.data() + lane * (kWorkspace / kWorkspaceParts);
    gemms_.at(group.rows)->run(o, streams_[lane].get());
  }

  Session& session_;
  GroupedShape shape_;
  std::map<std::int64_t, std::unique_ptr<LtGemm>> gemms_;  // by rows
  std::array<Stream, kWorkspaceParts> streams_;
  std::array<Event, kWorkspaceParts> joins_;
  Event fork_ = make_event(cudaEventDisableTiming);
};

// Every expert padded to the most loaded one, active or not: what a batch without groups costs.
class StridedBatch final : public GroupedGemm {
 public:
  StridedBatch(Session& session, GroupedShape shape)
      : session_(session), shape_(std::move(shape)) {
    if (shape_.dtype != MOESIM_BF16) throw Refusal("the strided batch is bf16 only");
  }
  // On the session's stream: cublasSetStream would take the workspace away.
  void run(cudaStream_t, int) override {
    const auto& groups = shape_.copies[0];
    const std::int64_t rows = groups.empty() ? 0 : groups.front().rows;
    const auto alpha = static_cast<float>(shape_.alpha);
    const float beta = 0;
    const auto n = static_cast<int>(shape_.n), k = static_cast<int>(shape_.k);
    check(cublasGemmStridedBatchedEx(
              session_.blas, CUBLAS_OP_T, CUBLAS_OP_N, n, static_cast<int>(rows), k, &alpha,
              shape_.w, CUDA_R_16BF, k, shape_.n * shape_.k, shape_.x, CUDA_R_16BF, k,
              rows * shape_.k, &beta, shape_.y, CUDA_R_16BF, n, rows * shape_.n,
              static_cast<int>(shape_.experts), CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
          "multiplying a strided batch");
  }

 private:
  Session& session_;
  GroupedShape shape_;
};

// cublasGemmGroupedBatchedEx: one group per active expert.
class GroupedBatched final : public GroupedGemm {
 public:
  GroupedBatched(Session& session, GroupedShape shape)
      : session_(session), shape_(std::move(shape)) {
#if CUBLAS_VERSION < 120500
    throw Refusal("cublasGemmGroupedBatchedEx needs a module built with cuBLAS 12.5 or newer");
#endif
    if (shape_.dtype != MOESIM_BF16) throw Refusal("cublasGemmGroupedBatchedEx has no fp8");
    for (const auto& groups : shape_.copies) tables_.push_back(table(groups));
  }
  // On the session's stream: cublasSetStream would take the workspace away.
  void run(cudaStream_t, int copy) override {
#if CUBLAS_VERSION >= 120500
    const Table& t = tables_[static_cast<std::size_t>(copy)];
    check(cublasGemmGroupedBatchedEx(
              session_.blas, t.op_w.data(), t.op_x.data(), t.n.data(), t.rows.data(),
              t.k.data(), t.alpha.data(), t.w, CUDA_R_16BF, t.k.data(), t.x, CUDA_R_16BF,
              t.k.data(), t.beta.data(), t.y, CUDA_R_16BF, t.n.data(),
              static_cast<int>(t.rows.size()), t.size.data(), CUBLAS_COMPUTE_32F),
          "multiplying with cublasGemmGroupedBatchedEx");
#else
    (void)copy;
#endif
  }

 private:
  struct Table {
    std::vector<cublasOperation_t> op_w, op_x;
    std::vector<int> rows, n, k, size;
    std::vector<float> alpha, beta;
    const void* const* w = nullptr;  // device arrays of device pointers
    const void* const* x = nullptr;
    void* const* y = nullptr;
  };
  Table table(const std::vector<Group>& groups) {
    Table t;
    std::vector<const void*> w, x;
    std::vector<void*> y;
    for (const Group& g : groups) {
      const GroupOperands at = operands_of(shape_, g);
      w.push_back(at.w), x.push_back(at.x), y.push_back(at.y);
      t.op_w.push_back(CUBLAS_OP_T), t.op_x.push_back(CUBLAS_OP_N);
      t.rows.push_back(static_cast<int>(g.rows));
      t.n.push_back(static_cast<int>(shape_.n)), t.k.push_back(static_cast<int>(shape_.k));
      t.size.push_back(1);
      t.alpha.push_back(static_cast<float>(shape_.alpha)), t.beta.push_back(0.0f);
    }
    t.w = session_.upload(w);
    t.x = session_.upload(x);
    t.y = session_.upload(y);
    return t;
  }

  Session& session_;
  GroupedShape shape_;
  std::vector<Table> tables_;
};

}  // namespace

GroupOperands operands_of(const GroupedShape& shape, const Group& group) {
  const std::int64_t element = shape.dtype == MOESIM_BF16 ? 2 : 1;
  return {shape.w + group.expert * shape.n * shape.k * element,
          shape.x + group.first_row * shape.k * element,
          shape.y + group.first_row * shape.n * 2};
}

std::unique_ptr<GroupedGemm> make_grouped_gemm(Session& session, int backend,
                                               GroupedShape shape) {
  if (shape.dtype != MOESIM_BF16 && shape.dtype != MOESIM_FP8) {
    throw Refusal("experts are measured in bf16 and tensor-wide fp8");
  }
  switch (backend) {
    case MOESIM_STRIDED_BATCH:
      return std::make_unique<StridedBatch>(session, std::move(shape));
    case MOESIM_MULTI_STREAM:
      return std::make_unique<MultiStream>(session, std::move(shape));
    case MOESIM_GROUPED_BATCHED:
      return std::make_unique<GroupedBatched>(session, std::move(shape));
    default:
      return make_lt_grouped(session, std::move(shape));
  }
}

}  // namespace moesim_cuda
