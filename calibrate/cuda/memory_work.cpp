// The memory-bound kernels, and empty kernels for what a launch costs. Inputs rotate over more
// than twice the L2 cache, so that they come from memory.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "calibrate/cuda/host.h"
#include "calibrate/cuda/work.h"

namespace moesim_cuda {
namespace {

std::size_t size(std::int64_t x) { return static_cast<std::size_t>(x); }

// Common to all: rotating inputs of `bytes` each, filled with random data of a format.
class Rotating : public Work {
 public:
  [[nodiscard]] std::string kernel() const override { return "moesim"; }
  [[nodiscard]] int copies() const override { return copies_; }

 protected:
  Rotating(Session& session, const moesim_op& op, Format format, std::size_t bytes)
      : session_(session),
        op_(op),
        stride_(stride_of(bytes)),
        copies_(session.rotation(bytes)),
        inputs_(static_cast<char*>(session.random(format, stride_ * size(copies_)))) {}

  [[nodiscard]] std::size_t offset(int turn) const { return stride_ * size(turn % copies_); }
  [[nodiscard]] char* input(int turn) const { return inputs_ + offset(turn); }
  [[nodiscard]] static std::size_t stride_of(std::size_t bytes) {
    return (bytes + 255) / 256 * 256;
  }

  Session& session_;
  moesim_op op_;

 private:
  std::size_t stride_;
  int copies_;
  char* inputs_;
};

class ReadWork final : public Rotating {
 public:
  ReadWork(Session& session, const moesim_op& op)
      : Rotating(session, op, Format::bf16, size(op.bytes)),
        sink_(static_cast<unsigned*>(session.scratch(sizeof(unsigned)))) {}
  void enqueue(cudaStream_t stream, int turn) override {
    read_bytes(input(turn), size(op_.bytes), sink_, stream);
  }
  // Nothing comes out but the time; that it ran without a fault is all there is to see.
  Difference check() override {
    enqueue(session_.stream, 0);
    moesim_cuda::check(cudaStreamSynchronize(session_.stream), "reading memory");
    return {0, 1e-9};
  }

 private:
  unsigned* sink_;
};

// Every copy has its own output: one that is written again and again would stay in the cache,
// and half of the bytes counted would not move.
class CopyWork final : public Rotating {
 public:
  CopyWork(Session& session, const moesim_op& op)
      : Rotating(session, op, Format::bf16, size(op.bytes)),
        output_(
            static_cast<char*>(session.scratch(stride_of(size(op.bytes)) * size(copies())))) {}
  void enqueue(cudaStream_t stream, int turn) override {
    copy_bytes(input(turn), output_ + offset(turn), size(op_.bytes), stream);
  }
  Difference check() override {
    enqueue(session_.stream, 0);
    const auto a = session_.download<char>(input(0), size(op_.bytes));
    const auto b = session_.download<char>(output_, size(op_.bytes));
    return {a == b ? 0.0 : 1.0, 1e-9};
  }

 private:
  char* output_;
};

// tokens * top_k rows, gathered in a scattered order: row r comes from token (r * 7919) mod T.
class PermuteWork final : public Rotating {
 public:
  PermuteWork(Session& session, const moesim_op& op)
      : Rotating(session, op, Format::bf16, size(op.tokens * op.hidden * 2)),
        rows_(static_cast<int>(op.tokens * op.top_k)) {
    host_index_.resize(size(rows_));
    for (std::size_t r = 0; r < host_index_.size(); ++r) {
      host_index_[r] = static_cast<int>(r * 7919 % size(op.tokens));
    }
    index_ = session.upload(host_index_);
    output_ = session.scratch(size(rows_) * size(op.hidden) * 2);
  }
  void enqueue(cudaStream_t stream, int turn) override {
    gather_rows(input(turn), output_, index_, rows_, static_cast<int>(op_.hidden * 2), stream);
  }
  Difference check() override {
    enqueue(session_.stream, 0);
    const std::size_t h = size(op_.hidden);
    const auto in = download_numbers(session_, input(0), size(op_.tokens) * h, Format::bf16);
    const auto out = download_numbers(session_, output_, size(rows_) * h, Format::bf16);
    Comparison c;
    for (std::size_t i = 0; i < out.size(); ++i) {
      c.add(out[i], in[size(host_index_[i / h]) * h + i % h]);
    }
    return {c.error(), 1e-9};
  }

 private:
  int rows_;
  std::vector<int> host_index_;
  const int* index_ = nullptr;
  void* output_ = nullptr;
};

class CombineWork final : public Rotating {
 public:
  CombineWork(Session& session, const moesim_op& op)
      : Rotating(session, op, Format::bf16, size(op.tokens * op.top_k * op.hidden * 2)) {
    const std::size_t rows = size(op.tokens * op.top_k);
    host_row_.resize(rows);
    host_weight_.resize(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      host_row_[i] = static_cast<int>(i * 7919 % rows);
      host_weight_[i] = 1.0f / static_cast<float>(1 + i % size(op.top_k));
    }
    row_ = session.upload(host_row_);
    weight_ = session.upload(host_weight_);
    output_ = static_cast<__nv_bfloat16*>(session.scratch(size(op.tokens * op.hidden * 2)));
  }
  void enqueue(cudaStream_t stream, int turn) override {
    weighted_combine(reinterpret_cast<const __nv_bfloat16*>(input(turn)), row_, weight_,
                     output_, static_cast<int>(op_.tokens), static_cast<int>(op_.top_k),
                     static_cast<int>(op_.hidden), stream);
  }
  Difference check() override {
    enqueue(session_.stream, 0);
    const std::size_t h = size(op_.hidden), k = size(op_.top_k), tokens = size(op_.tokens);
    const auto in = download_numbers(session_, input(0), tokens * k * h, Format::bf16);
    const auto out = download_numbers(session_, output_, tokens * h, Format::bf16);
    Comparison c;
    for (std::size_t t = 0; t < tokens; ++t) {
      for (std::size_t d = 0; d < h; ++d) {
        double sum = 0;
        for (std::size_t j = 0; j < k; ++j) {
          sum += host_weight_[t * k + j] * in[size(host_row_[t * k + j]) * h + d];
        }
        c.add(out[t * h + d], sum);
      }
    }
    return {c.error(), 0.005};
  }

 private:
  std::vector<int> host_row_;
  std::vector<float> host_weight_;
  const int* row_ = nullptr;
  const float* weight_ = nullptr;
  __nv_bfloat16* output_ = nullptr;
};

constexpr float kEps = 1e-6f;

class NormWork final : public Rotating {
 public:
  // Activations and the residual stream lie behind one another.
  NormWork(Session& session, const moesim_op& op)
      : Rotating(session, op, Format::bf16, 2 * size(op.tokens * op.hidden * 2)),
        gamma_(bf16(session.random(Format::bf16, size(op.hidden * 2)))),
        residual_out_(bf16(session.scratch(size(op.tokens * op.hidden * 2)))),
        output_(bf16(session.scratch(size(op.tokens * op.hidden * 2)))) {
    if (op.hidden > 16384 || op.hidden % 8 != 0)
      throw Refusal("hidden over 16384, or not by 8");
  }
  void enqueue(cudaStream_t stream, int turn) override {
    const __nv_bfloat16* x = bf16(input(turn));
    rmsnorm(x, x + op_.tokens * op_.hidden, gamma_, residual_out_, output_,
            static_cast<int>(op_.tokens), static_cast<int>(op_.hidden), kEps, stream);
  }
  Difference check() override {
    enqueue(session_.stream, 0);
    const std::size_t h = size(op_.hidden), n = size(op_.tokens) * h;
    const auto in = download_numbers(session_, input(0), 2 * n, Format::bf16);
    const auto gamma = download_numbers(session_, gamma_, h, Format::bf16);
    const auto out = download_numbers(session_, output_, n, Format::bf16);
    const auto residual = download_numbers(session_, residual_out_, n, Format::bf16);
    Comparison c;
    for (std::size_t t = 0; t < n; t += h) {
      double squares = 0;
      for (std::size_t d = 0; d < h; ++d) {
        const double r = in[t + d] + in[n + t + d];
        squares += r * r;
        c.add(residual[t + d], r);
      }
      const double scale = 1 / std::sqrt(squares / static_cast<double>(h) + kEps);
      for (std::size_t d = 0; d < h; ++d) {
        c.add(out[t + d], (in[t + d] + in[n + t + d]) * scale * gamma[d]);
      }
    }
    return {c.error(), 0.005};
  }

 private:
  static __nv_bfloat16* bf16(void* p) { return static_cast<__nv_bfloat16*>(p); }
  __nv_bfloat16* gamma_;
  __nv_bfloat16* residual_out_;
  __nv_bfloat16* output_;
};

class TopkWork final : public Rotating {
 public:
  TopkWork(Session& session, const moesim_op& op)
      : Rotating(session, op, Format::f32, size(op.tokens * op.experts) * sizeof(float)),
        ids_(static_cast<int*>(session.scratch(size(op.tokens * op.top_k) * sizeof(int)))),
        weights_(
            static_cast<float*>(session.scratch(size(op.tokens * op.top_k) * sizeof(float)))) {
    if (op.experts > 512 || op.top_k > 32) throw Refusal("more than 512 experts or top-k 32");
  }
  void enqueue(cudaStream_t stream, int turn) override {
    router_topk(reinterpret_cast<const float*>(input(turn)), ids_, weights_,
                static_cast<int>(op_.tokens), static_cast<int>(op_.experts),
                static_cast<int>(op_.top_k), stream);
  }
  Difference check() override {
    enqueue(session_.stream, 0);
    const std::size_t e = size(op_.experts), k = size(op_.top_k), tokens = size(op_.tokens);
    const auto scores = session_.download<float>(input(0), tokens * e);
    const auto ids = session_.download<int>(ids_, tokens * k);
    const auto weights = session_.download<float>(weights_, tokens * k);
    Comparison c;
    std::vector<int> order(e);
    for (std::size_t t = 0; t < tokens; ++t) {
      const float* row = scores.data() + t * e;
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(),
                       [&](int a, int b) { return row[a] > row[b]; });
      double mass = 0;
      for (std::size_t j = 0; j < k; ++j) mass += std::exp(row[order[j]] - row[order[0]]);
      for (std::size_t j = 0; j < k; ++j) {
        c.add(ids[t * k + j] == order[j] ? 0 : 1e9, 0);
        c.add(weights[t * k + j], std::exp(row[order[j]] - row[order[0]]) / mass);
      }
    }
    return {c.error(), 1e-4};
  }

 private:
  int* ids_;
  float* weights_;
};

// Many empty kernels: the time of one, inside a graph or launched one by one.
class LaunchWork final : public Work {
 public:
  LaunchWork(Session& session, bool graph) : session_(session), graph_(graph) {}
  [[nodiscard]] std::string kernel() const override { return "moesim"; }
  [[nodiscard]] int repeats() const override { return 256; }
  [[nodiscard]] bool capturable() const override { return graph_; }
  void enqueue(cudaStream_t stream, int) override {
    for (int i = 0; i < repeats(); ++i) empty_kernel(stream);
  }
  Difference check() override {
    enqueue(session_.stream, 0);
    moesim_cuda::check(cudaStreamSynchronize(session_.stream), "launching empty kernels");
    return {0, 1e-9};
  }

 private:
  Session& session_;
  bool graph_;
};

}  // namespace

std::unique_ptr<Work> make_memory_kernel(Session& session, const moesim_op& op) {
  if (op.hidden % 8 != 0) throw Refusal("rows must be a multiple of 16 bytes");
  switch (op.kind) {
    case MOESIM_READ:
      return std::make_unique<ReadWork>(session, op);
    case MOESIM_COPY:
      return std::make_unique<CopyWork>(session, op);
    case MOESIM_PERMUTE:
      return std::make_unique<PermuteWork>(session, op);
    case MOESIM_COMBINE:
      return std::make_unique<CombineWork>(session, op);
    case MOESIM_RMSNORM:
      return std::make_unique<NormWork>(session, op);
    default:
      return std::make_unique<TopkWork>(session, op);
  }
}

std::unique_ptr<Work> make_launch(Session& session, const moesim_op& op) {
  return std::make_unique<LaunchWork>(session, op.kind == MOESIM_GRAPH_NODE);
}

}  // namespace moesim_cuda
