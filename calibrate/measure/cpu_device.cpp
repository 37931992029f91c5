// This machine's processor in place of a GPU: shows the whole walk from timing to profile
// without one. What it measures is marked as a demonstration and is never taken for a GPU.
#include <fmt/format.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <span>
#include <thread>

#include "calibrate/measure/blas.hpp"
#include "calibrate/measure/device.hpp"

namespace moesim {
namespace {

using Clock = std::chrono::steady_clock;

Seconds since(Clock::time_point start) {
  return Seconds{std::chrono::duration<double>(Clock::now() - start).count()};
}
std::size_t size(std::int64_t x) { return static_cast<std::size_t>(x); }

// Grows only, so that preparing an operation costs little; values in (-1, 1), never all zero.
class Numbers {
 public:
  float* take(std::size_t count) {
    while (data_.size() < count) {
      state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
      data_.push_back(static_cast<float>(static_cast<std::int32_t>(state_ >> 32)) * 0x1p-31f);
    }
    return data_.data();
  }

 private:
  std::vector<float> data_;
  std::uint64_t state_ = 42;
};

class CpuDevice final : public MeasuredDevice {
 public:
  explicit CpuDevice(std::unique_ptr<Blas> blas) : blas_(std::move(blas)) {
    facts_.name = "cpu";
    facts_.system = "cpu";
    facts_.library = blas_->name();
    facts_.versions = "OpenBLAS or plain loops, f32";
    facts_.gpus = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 2u, 8u));
    facts_.demonstration = true;
    facts_.memory = Bytes{1.5e9};
    facts_.l2_cache = Bytes{32e6};
    facts_.memory_bandwidth = BytesPerSecond{8e9};
    facts_.flops = FlopsPerSecond{blas_->name() == "openblas" ? 4e10 : 2e9};
  }

  [[nodiscard]] const DeviceFacts& facts() const override { return facts_; }
  [[nodiscard]] std::string kernel() const override { return "cpu_" + blas_->name(); }

  std::optional<std::string> prepare(const Operation& op) override {
    if (op.dtype != Dtype::fp32) return "the processor's demonstration is f32 only";
    if (op.kind == OpKind::graph_node) return "a processor has no graphs";
    op_ = op;
    run_ = runner(op);
    run_();
    const auto start = Clock::now();
    run_();
    // Two hundred microseconds per timing: far above the clock's own cost.
    repeats_ =
        std::clamp(static_cast<int>(2e-4 / std::max(since(start).value, 1e-8)), 1, 10000);
    return std::nullopt;
  }

  std::vector<Seconds> sample(int count) override {
    if (op_.kind == OpKind::all_to_all) return exchange(count);
    std::vector<Seconds> times;
    for (int i = 0; i < count; ++i) {
      const auto start = Clock::now();
      for (int r = 0; r < repeats_; ++r) run_();
      times.push_back(since(start) / repeats_);
    }
    return times;
  }

  std::optional<Conditions> conditions() override { return std::nullopt; }
  std::optional<EnergyLoop> energy(Seconds) override { return std::nullopt; }

  // A GEMM is compared with plain loops; the rest is plain loops.
  std::optional<Verification> verify(const Operation& op, std::string& why) override {
    if (op.kind != OpKind::gemm) {
      why = "computed by plain loops, which are the reference";
      return std::nullopt;
    }
    prepare(op);
    const std::size_t count = size(op.m * op.n);
    std::vector<float> expected(count);
    plain_loops()->multiply(static_cast<int>(op.m), static_cast<int>(op.n),
                            static_cast<int>(op.k), in_.take(0), weights_.take(0),
                            expected.data());
    double error = 0, scale = 0;
    for (std::size_t i = 0; i < count; ++i) {
      error = std::max<double>(error, std::abs(out_.take(0)[i] - expected[i]));
      scale = std::max<double>(scale, std::abs(expected[i]));
    }
    return Verification{error / scale, 1e-5};
  }

 private:
  std::function<void()> runner(const Operation& op);
  void gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, const float* w,
            float* y) {
    blas_->multiply(static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), x, w, y);
  }
  void run_experts();
  void run_attention();
  void run_norm();
  void run_topk();
  void run_rows();
  std::vector<Seconds> exchange(int count);

  std::unique_ptr<Blas> blas_;
  DeviceFacts facts_;
  Operation op_;
  std::function<void()> run_;
  int repeats_ = 1;
  Numbers in_, weights_, out_, middle_;
};

std::function<void()> CpuDevice::runner(const Operation& op) {
  const auto floats = [](std::int64_t bytes) { return size(bytes / 4); };
  switch (op.kind) {
    case OpKind::gemm: {
      const float* x = in_.take(size(op.m * op.k));
      const float* w = weights_.take(size(op.n * op.k));
      float* y = out_.take(size(op.m * op.n));
      return [this, x, w, y] { gemm(op_.m, op_.n, op_.k, x, w, y); };
    }
    case OpKind::read: {
      const float* x = in_.take(floats(op.bytes));
      float* y = out_.take(1);
      return [x, y, n = floats(op.bytes)] { *y = std::reduce(x, x + n); };
    }
    case OpKind::copy:
    case OpKind::all_to_all: {
      const float* x = in_.take(floats(op.bytes));
      float* y = out_.take(floats(op.bytes));
      return [x, y, n = size(op.bytes)] { std::memcpy(y, x, n); };
    }
    case OpKind::experts:
      return [this] { run_experts(); };
    case OpKind::decode_attention:
      return [this] { run_attention(); };
    case OpKind::rmsnorm:
      return [this] { run_norm(); };
    case OpKind::router_topk:
      return [this] { run_topk(); };
    case OpKind::permute:
    case OpKind::combine:
      return [this] { run_rows(); };
    case OpKind::graph_node:
    case OpKind::stream_launch:
      break;
  }
  // A launch: the cheapest way to hand work to another thread of control, a call.
  float* y = out_.take(1);
  return [y] { *y += 1; };
}

void CpuDevice::run_experts() {
  const std::int64_t h = op_.hidden, inter = op_.intermediate, rows = op_.tokens * op_.top_k;
  const float* x = in_.take(size(rows * h));
  const float* w = weights_.take(size(op_.experts * 3 * h * inter));
  float* both = middle_.take(size(rows * 2 * inter));
  float* y = out_.take(size(rows * h));
  std::int64_t row = 0;
  for (std::int64_t e = 0; e < op_.experts; ++e) {
    const std::int64_t n = op_.counts[size(e)];
    if (n == 0) continue;
    const float* own = w + e * 3 * h * inter;
    float* mid = both + row * 2 * inter;
    gemm(n, 2 * inter, h, x + row * h, own, mid);
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t c = 0; c < inter; ++c) {
        const float g = mid[i * 2 * inter + c];
        mid[i * inter + c] = g / (1 + std::exp(-g)) * mid[i * 2 * inter + inter + c];
      }
    }
    gemm(n, h, inter, mid, own + 2 * h * inter, y + row * h);
    row += n;
  }
}

void CpuDevice::run_attention() {
  const std::int64_t d = op_.head_dim, kv = op_.kv_tokens, group = op_.heads / op_.kv_heads;
  const float* q = in_.take(size(op_.batch * op_.heads * d));
  const float* cache = weights_.take(size(op_.batch * op_.kv_heads * 2 * kv * d));
  float* y = out_.take(size(op_.batch * op_.heads * d));
  float* score = middle_.take(size(kv));
  for (std::int64_t head = 0; head < op_.batch * op_.heads; ++head) {
    const float* keys = cache + head / group * 2 * kv * d;
    gemm(1, kv, d, q + head * d, keys, score);
    const float largest = *std::max_element(score, score + kv);
    float mass = 0;
    std::fill(y + head * d, y + (head + 1) * d, 0.0f);
    for (std::int64_t t = 0; t < kv; ++t) {
      const float w = std::exp(score[t] - largest);
      mass += w;
      for (std::int64_t c = 0; c < d; ++c) y[head * d + c] += w * keys[(kv + t) * d + c];
    }
    for (std::int64_t c = 0; c < d; ++c) y[head * d + c] /= mass;
  }
}

void CpuDevice::run_norm() {
  const std::int64_t h = op_.hidden;
  const float* x = in_.take(size(op_.tokens * h));
  float* y = out_.take(size(op_.tokens * h));
  for (std::int64_t t = 0; t < op_.tokens; ++t) {
    const float* row = x + t * h;
    const float squares = std::inner_product(row, row + h, row, 0.0f);
    const float scale = 1 / std::sqrt(squares / static_cast<float>(h) + 1e-6f);
    for (std::int64_t c = 0; c < h; ++c) y[t * h + c] = row[c] * scale;
  }
}

void CpuDevice::run_topk() {
  const float* scores = in_.take(size(op_.tokens * op_.experts));
  std::vector<int> order(size(op_.experts));
  float* y = out_.take(size(op_.tokens));
  for (std::int64_t t = 0; t < op_.tokens; ++t) {
    const float* row = scores + t * op_.experts;
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + op_.top_k, order.end(),
                      [row](int a, int b) { return row[a] > row[b]; });
    y[t] = row[order[0]];
  }
}

// Permute: gather rows; combine: sum top_k rows.
void CpuDevice::run_rows() {
  const std::int64_t h = op_.hidden, rows = op_.tokens * op_.top_k;
  const bool sum = op_.kind == OpKind::combine;
  const float* x = in_.take(size(rows * h));
  float* y = out_.take(size((sum ? op_.tokens : rows) * h));
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* from = x + (sum ? r * 7919 % rows : r * 7919 % op_.tokens) * h;
    if (!sum) {
      std::memcpy(y + r * h, from, size(h) * sizeof(float));
      continue;
    }
    float* to = y + r / op_.top_k * h;
    const bool first = r % op_.top_k == 0;
    for (std::int64_t c = 0; c < h; ++c) to[c] = (first ? 0.0f : to[c]) + 0.125f * from[c];
  }
}

// Threads as ranks: each copies from every other's buffer; the slowest counts.
std::vector<Seconds> CpuDevice::exchange(int count) {
  const std::size_t n = size(op_.ranks), bytes = size(op_.bytes);
  const float* source = in_.take(bytes / sizeof(float) + 1);
  std::vector<std::vector<char>> inbox(n, std::vector<char>(bytes));
  std::vector<std::vector<double>> times(n, std::vector<double>(size(count)));
  std::barrier together(static_cast<std::ptrdiff_t>(n));
  const auto rank = [&](std::size_t me) {
    for (double& t : times[me]) {
      together.arrive_and_wait();
      const auto start = Clock::now();
      std::memcpy(inbox[me].data(), source, bytes);
      t = since(start).value;
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t r = 0; r < n; ++r) threads.emplace_back(rank, r);
  for (auto& t : threads) t.join();
  std::vector<Seconds> slowest(size(count), Seconds{0});
  for (const auto& own : times) {
    for (std::size_t i = 0; i < own.size(); ++i) {
      slowest[i] = std::max(slowest[i], Seconds{own[i]});
    }
  }
  return slowest;
}

}  // namespace

std::unique_ptr<MeasuredDevice> open_cpu_device() {
  auto blas = open_openblas();
  return std::make_unique<CpuDevice>(blas ? std::move(blas) : plain_loops());
}

}  // namespace moesim
