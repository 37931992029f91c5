// One dense GEMM through cuBLASLt.
#include <cmath>

#include "calibrate/cuda/host.h"
#include "calibrate/cuda/lt_gemm.h"
#include "calibrate/cuda/work.h"

namespace moesim_cuda {
namespace {

class GemmWork final : public Work {
 public:
  GemmWork(Session& session, const moesim_op& op)
      : session_(session),
        op_(op),
        format_{op.dtype},
        gemm_(session, op.dtype, op.m, op.n, op.k, 1 / std::sqrt(static_cast<double>(op.k)),
              256) {
    const auto rows = static_cast<std::size_t>(gemm_.padded_rows());
    const auto n = static_cast<std::size_t>(op.n), k = static_cast<std::size_t>(op.k);
    const std::size_t element = size_of(format_.input());
    weight_bytes_ = (n * k * element + 255) / 256 * 256;
    // The activations do not count: written just before, they are in the cache in a model too.
    copies_ = session.rotation(weight_bytes_);
    weights_ = static_cast<char*>(
        session.random(format_.input(), weight_bytes_ * static_cast<std::size_t>(copies_)));
    operands_.x = session.random(format_.input(), rows * k * element);
    operands_.y = session.scratch(rows * n * format_.output_bytes());
    operands_.workspace = session.workspace.data();
    const bool block = op.dtype == MOESIM_FP8_BLOCK;
    operands_.w_scale = scales(block ? block_scales_of_weights(op.n, op.k) : 1);
    operands_.x_scale = scales(block ? block_scales_of_rows(op.m, op.k) : 1);
  }

  [[nodiscard]] std::string kernel() const override { return "cublaslt"; }
  [[nodiscard]] int copies() const override { return copies_; }
  void enqueue(cudaStream_t stream, int turn) override {
    operands_.w = weights_ + weight_bytes_ * static_cast<std::size_t>(turn % copies_);
    gemm_.run(operands_, stream);
  }

  // 256 results in a pattern that reaches every block of rows and columns.
  Difference check() override {
    enqueue(session_.stream, 0);
    const std::int64_t rows = gemm_.padded_rows();
    const auto w = numbers(weights_, op_.n * op_.k), x = numbers(operands_.x, rows * op_.k);
    const auto y = results(rows * op_.n);
    Comparison comparison;
    for (std::int64_t i = 0; i < 256; ++i) {
      const std::int64_t r = (i * 7919) % op_.m, c = (i * 104729) % op_.n;
      comparison.add(y[static_cast<std::size_t>(r * op_.n + c)], product(w, x, r, c));
    }
    const double tolerance = op_.dtype == MOESIM_INT8   ? 1e-9
                             : op_.dtype == MOESIM_BF16 ? 0.01
                                                        : 0.03;
    return {comparison.error(), tolerance};
  }

 private:
  const float* scales(std::int64_t count) {
    return static_cast<const float*>(
        session_.random(Format::scale, static_cast<std::size_t>(count) * sizeof(float)));
  }
  std::vector<double> numbers(const void* from, std::int64_t count) {
    return download_numbers(session_, from, static_cast<std::size_t>(count), format_.input());
  }
  std::vector<double> results(std::int64_t count) {
    const auto n = static_cast<std::size_t>(count);
    if (op_.dtype != MOESIM_INT8) {
      return download_numbers(session_, operands_.y, n, Format::bf16);
    }
    const auto raw = session_.download<std::int32_t>(operands_.y, n);
    return {raw.begin(), raw.end()};
  }

  // Row r of x times row c of w, in double, scales and alpha included.
  double product(const std::vector<double>& w, const std::vector<double>& x, std::int64_t r,
                 std::int64_t c) {
    if (w_scale_.empty()) load_scales();
    const std::int64_t k_blocks = (op_.k + 127) / 128;
    const std::int64_t padded = (k_blocks + 3) / 4 * 4;
    double sum = 0;
    for (std::int64_t k = 0; k < op_.k; ++k) {
      double scale = 1;
      if (op_.dtype == MOESIM_FP8) scale = w_scale_[0] * x_scale_[0];
      if (op_.dtype == MOESIM_FP8_BLOCK) {
        scale = w_scale_[static_cast<std::size_t>(c / 128 * padded + k / 128)] *
                x_scale_[static_cast<std::size_t>(k / 128 * gemm_.padded_rows() + r)];
      }
      sum += scale * x[static_cast<std::size_t>(r * op_.k + k)] *
             w[static_cast<std::size_t>(c * op_.k + k)];
    }
    return op_.dtype == MOESIM_INT8 ? sum : sum / std::sqrt(static_cast<double>(op_.k));
  }
  void load_scales() {
    const bool block = op_.dtype == MOESIM_FP8_BLOCK;
    const auto nw = block ? block_scales_of_weights(op_.n, op_.k) : 1;
    const auto nx = block ? block_scales_of_rows(op_.m, op_.k) : 1;
    w_scale_ = session_.download<float>(operands_.w_scale, static_cast<std::size_t>(nw));
    x_scale_ = session_.download<float>(operands_.x_scale, static_cast<std::size_t>(nx));
  }

  Session& session_;
  moesim_op op_;
  GemmFormat format_;
  LtGemm gemm_;
  std::size_t weight_bytes_ = 0;
  int copies_ = 1;
  char* weights_ = nullptr;
  LtGemm::Operands operands_;
  std::vector<float> w_scale_, x_scale_;
};

}  // namespace

std::unique_ptr<Work> make_gemm(Session& session, const moesim_op& op) {
  return std::make_unique<GemmWork>(session, op);
}

}  // namespace moesim_cuda
