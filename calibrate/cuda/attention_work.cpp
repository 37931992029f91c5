// Decode attention of grouped-query heads over a contiguous bf16 cache.
#include <algorithm>
#include <cmath>

#include "calibrate/cuda/host.h"
#include "calibrate/cuda/work.h"

namespace moesim_cuda {
namespace {

std::size_t size(std::int64_t x) { return static_cast<std::size_t>(x); }

class AttentionWork final : public Work {
 public:
  AttentionWork(Session& session, const moesim_op& op) : session_(session) {
    if (op.dtype != MOESIM_BF16) throw Refusal("decode attention is bf16 only");
    if (op.head_dim != 64 && op.head_dim != 128) throw Refusal("head dimension not 64 or 128");
    if (op.kv_heads < 1 || op.heads % op.kv_heads != 0 || op.heads / op.kv_heads > 16) {
      throw Refusal("more than 16 query heads per KV head");
    }
    if (op.batch > 65535 || op.kv_heads > 65535) throw Refusal("more than 65535 sequences");
    args_.batch = static_cast<int>(op.batch);
    args_.heads = static_cast<int>(op.heads);
    args_.kv_heads = static_cast<int>(op.kv_heads);
    args_.kv = static_cast<int>(op.kv_tokens);
    args_.dim = static_cast<int>(op.head_dim);
    cache_ = size(op.batch * op.kv_heads * op.kv_tokens * op.head_dim);
    stride_ = (2 * cache_ * sizeof(__nv_bfloat16) + 255) / 256 * 256;
    copies_ = session.rotation(stride_);
    caches_ = static_cast<char*>(session.random(Format::bf16, stride_ * size(copies_)));
    const std::size_t queries = size(op.batch * op.heads * op.head_dim) * sizeof(__nv_bfloat16);
    args_.q = static_cast<const __nv_bfloat16*>(session.random(Format::bf16, queries));
    args_.out = static_cast<__nv_bfloat16*>(session.scratch(queries));
    args_.partial =
        static_cast<float*>(session.scratch(attention_scratch(args_) * sizeof(float)));
  }

  [[nodiscard]] std::string kernel() const override { return "moesim_split_kv"; }
  [[nodiscard]] int copies() const override { return copies_; }
  void enqueue(cudaStream_t stream, int turn) override {
    args_.k = reinterpret_cast<const __nv_bfloat16*>(caches_ + stride_ * size(turn % copies_));
    args_.v = args_.k + cache_;
    decode_attention(args_, stream);
  }

  Difference check() override {
    enqueue(session_.stream, 0);
    const std::size_t dim = size(args_.dim), heads = size(args_.heads);
    const std::size_t count = size(args_.batch) * heads * dim;
    const auto q = download_numbers(session_, args_.q, count, Format::bf16);
    const auto k = download_numbers(session_, args_.k, cache_, Format::bf16);
    const auto v = download_numbers(session_, args_.v, cache_, Format::bf16);
    const auto out = download_numbers(session_, args_.out, count, Format::bf16);
    Comparison c;
    for (std::size_t head = 0; head < size(args_.batch) * heads; ++head) {
      const auto expected = reference(q.data() + head * dim, k, v, head);
      for (std::size_t d = 0; d < dim; ++d) c.add(out[head * dim + d], expected[d]);
    }
    return {c.error(), 0.02};
  }

 private:
  [[nodiscard]] std::vector<double> reference(const double* q, const std::vector<double>& k,
                                              const std::vector<double>& v,
                                              std::size_t head) const {
    const std::size_t dim = size(args_.dim), kv = size(args_.kv), heads = size(args_.heads);
    const std::size_t kv_head = head % heads / (heads / size(args_.kv_heads));
    const std::size_t base = (head / heads * size(args_.kv_heads) + kv_head) * kv * dim;
    std::vector<double> score(kv);
    for (std::size_t t = 0; t < kv; ++t) {
      for (std::size_t d = 0; d < dim; ++d) score[t] += q[d] * k[base + t * dim + d];
      score[t] /= std::sqrt(static_cast<double>(dim));
    }
    const double largest = *std::max_element(score.begin(), score.end());
    double mass = 0;
    std::vector<double> out(dim, 0.0);
    for (std::size_t t = 0; t < kv; ++t) {
      const double w = std::exp(score[t] - largest);
      mass += w;
      for (std::size_t d = 0; d < dim; ++d) out[d] += w * v[base + t * dim + d];
    }
    for (double& x : out) x /= mass;
    return out;
  }

  Session& session_;
  AttentionArgs args_{};
  std::size_t cache_ = 0;  // elements of keys, and of values behind them
  std::size_t stride_ = 0;
  int copies_ = 1;
  char* caches_ = nullptr;
};

}  // namespace

std::unique_ptr<Work> make_attention(Session& session, const moesim_op& op) {
  return std::make_unique<AttentionWork>(session, op);
}

}  // namespace moesim_cuda
