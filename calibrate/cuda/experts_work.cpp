// The routed experts of one layer on one GPU, as an engine runs them: gather the tokens' rows
// by expert, gate and up, SwiGLU, down, weighted sum back into token order.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "calibrate/cuda/grouped_gemm.h"
#include "calibrate/cuda/host.h"
#include "calibrate/cuda/routing.h"
#include "calibrate/cuda/work.h"

namespace moesim_cuda {
namespace {

std::size_t size(std::int64_t x) { return static_cast<std::size_t>(x); }

class ExpertsWork final : public Work {
 public:
  ExpertsWork(Session& session, const moesim_op& op)
      : session_(session),
        op_(op),
        format_(op.dtype == MOESIM_FP8 ? Format::fp8 : Format::bf16),
        element_(size_of(format_)),
        padded_(op.backend == MOESIM_STRIDED_BATCH) {
    if (op.counts == nullptr || op.tokens < 1) throw Refusal("no tokens per expert given");
    if (op.hidden % 16 != 0 || op.intermediate % 16 != 0) throw Refusal("widths not by 16");
    routing_ = route(op, padded_);
    rows_ = static_cast<std::int64_t>(routing_.token_of_row.size());
    if (padded_ && rows_ > 8 * op.tokens * op.top_k && rows_ > 65536) {
      throw Refusal("padding to the most loaded expert makes the strided batch over 8x larger");
    }
    take_memory();
    gate_up_ = multiply(2 * op.intermediate, op.hidden, w_gate_up_, x_rows_, gate_up_out_);
    down_ = multiply(op.hidden, op.intermediate, w_down_, activation_, y_rows_);
  }

  [[nodiscard]] std::string kernel() const override {
    constexpr const char* names[] = {"cublas_strided_batch", "cublaslt_multi_stream",
                                     "cublas_grouped_batched", "cublaslt_grouped"};
    return names[op_.backend];
  }
  [[nodiscard]] int copies() const override { return copies_; }
  // cublasGemmGroupedBatchedEx copies its tables from the host as it launches.
  [[nodiscard]] bool capturable() const override {
    return op_.backend != MOESIM_GROUPED_BATCHED;
  }

  void enqueue(cudaStream_t stream, int turn) override {
    const int copy = turn % copies_;
    const auto rows = static_cast<int>(rows_), inter = static_cast<int>(op_.intermediate);
    gather_rows(x_, x_rows_, index_, rows, static_cast<int>(size(op_.hidden) * element_),
                stream);
    gate_up_->run(stream, copy);
    swiglu(reinterpret_cast<const __nv_bfloat16*>(gate_up_out_), activation_, format_, rows,
           inter, stream);
    down_->run(stream, copy);
    weighted_combine(reinterpret_cast<const __nv_bfloat16*>(y_rows_), rows_of_token_, weight_,
                     out_, static_cast<int>(op_.tokens), static_cast<int>(op_.top_k),
                     static_cast<int>(op_.hidden), stream);
  }

  // Up to eight tokens in full, with the roundings that the formats make.
  Difference check() override {
    enqueue(session_.stream, 0);
    const std::size_t h = size(op_.hidden);
    const auto out = download_numbers(session_, out_, size(op_.tokens) * h, Format::bf16);
    const std::size_t weights = size(op_.experts * op_.intermediate * op_.hidden);
    const auto gate_up = download_numbers(session_, w_gate_up_, 2 * weights, format_);
    const auto down = download_numbers(session_, w_down_, weights, format_);
    const auto x = download_numbers(session_, x_, size(op_.tokens) * h, format_);
    Comparison c;
    const std::size_t step = std::max<std::size_t>(1, size(op_.tokens) / 8);
    for (std::size_t t = 0; t < size(op_.tokens); t += step) {
      const auto expected = token(x.data() + t * h, t, gate_up, down);
      for (std::size_t d = 0; d < h; ++d) c.add(out[t * h + d], expected[d]);
    }
    return {c.error(), op_.dtype == MOESIM_FP8 ? 0.06 : 0.02};
  }

 private:
  void take_memory() {
    const std::size_t h = size(op_.hidden), i = size(op_.intermediate), rows = size(rows_);
    x_ = static_cast<char*>(session_.random(format_, size(op_.tokens) * h * element_));
    w_gate_up_ =
        static_cast<char*>(session_.random(format_, size(op_.experts) * 2 * i * h * element_));
    w_down_ =
        static_cast<char*>(session_.random(format_, size(op_.experts) * i * h * element_));
    x_rows_ = static_cast<char*>(session_.scratch(rows * h * element_));
    gate_up_out_ = static_cast<char*>(session_.scratch(rows * 2 * i * 2));
    activation_ = static_cast<char*>(session_.scratch(rows * i * element_));
    y_rows_ = static_cast<char*>(session_.scratch(rows * h * 2));
    out_ = static_cast<__nv_bfloat16*>(session_.scratch(size(op_.tokens) * h * 2));
    index_ = session_.upload(routing_.token_of_row);
    rows_of_token_ = session_.upload(routing_.rows_of_token);
    weight_ = session_.upload(routing_.weight);
    one_ = session_.upload(std::vector<float>{1.0f});
    // Few active experts fit the cache: other experts take the same rows in turn.
    const auto active = static_cast<std::int64_t>(routing_.groups.size());
    const int wanted = session_.rotation(size(active) * 3 * i * h * element_);
    copies_ = static_cast<int>(std::min<std::int64_t>(wanted, op_.experts / active));
  }

  std::unique_ptr<GroupedGemm> multiply(std::int64_t n, std::int64_t k, const char* w,
                                        const char* x, char* y) {
    GroupedShape shape;
    shape.dtype = op_.dtype;
    shape.n = n, shape.k = k, shape.experts = op_.experts;
    shape.w = w, shape.x = x, shape.y = y;
    shape.w_scale = one_, shape.x_scale = one_;
    shape.alpha = alpha(k);
    const auto active = static_cast<std::int64_t>(routing_.groups.size());
    for (int copy = 0; copy < copies_; ++copy) {
      shape.copies.push_back(routing_.groups);
      for (Group& g : shape.copies.back()) g.expert = (g.expert + copy * active) % op_.experts;
    }
    return make_grouped_gemm(session_, op_.backend, std::move(shape));
  }
  // Keeps a product of random operands near one.
  static double alpha(std::int64_t k) { return 3 / std::sqrt(static_cast<double>(k)); }

  [[nodiscard]] std::vector<double> token(const double* x, std::size_t t,
                                          const std::vector<double>& gate_up,
                                          const std::vector<double>& down) const {
    const std::size_t h = size(op_.hidden), i = size(op_.intermediate), k = size(op_.top_k);
    std::vector<double> out(h, 0.0), act(i), both(2 * i);
    for (std::size_t j = 0; j < k; ++j) {
      const std::size_t e = size(routing_.expert_of_slot[t * k + j]);
      const double* wg = gate_up.data() + e * 2 * i * h;
      for (std::size_t c = 0; c < 2 * i; ++c) {
        const double sum = std::inner_product(x, x + h, wg + c * h, 0.0);
        both[c] = rounded(sum * alpha(op_.hidden), Format::bf16);
      }
      for (std::size_t c = 0; c < i; ++c) {
        act[c] = rounded(both[c] / (1 + std::exp(-both[c])) * both[i + c], format_);
      }
      const double* wd = down.data() + e * h * i;
      for (std::size_t d = 0; d < h; ++d) {
        const double sum = std::inner_product(act.begin(), act.end(), wd + d * i, 0.0);
        out[d] +=
            routing_.weight[t * k + j] * rounded(sum * alpha(op_.intermediate), Format::bf16);
      }
    }
    return out;
  }

  Session& session_;
  moesim_op op_;
  Format format_;
  std::size_t element_;
  bool padded_;
  Routing routing_;
  std::int64_t rows_ = 0;
  int copies_ = 1;
  char *x_ = nullptr, *w_gate_up_ = nullptr, *w_down_ = nullptr, *x_rows_ = nullptr,
       *gate_up_out_ = nullptr, *activation_ = nullptr, *y_rows_ = nullptr;
  __nv_bfloat16* out_ = nullptr;
  const int* index_ = nullptr;
  const int* rows_of_token_ = nullptr;
  const float* weight_ = nullptr;
  const float* one_ = nullptr;
  std::unique_ptr<GroupedGemm> gate_up_, down_;
};

}  // namespace

std::unique_ptr<Work> make_experts(Session& session, const moesim_op& op) {
  return std::make_unique<ExpertsWork>(session, op);
}

}  // namespace moesim_cuda
