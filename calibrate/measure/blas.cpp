#include "calibrate/measure/blas.hpp"

#include <dlfcn.h>

#include <cstdlib>

namespace moesim {
namespace {

// From cblas.h, whose numbers have not changed since 1996.
constexpr int kRowMajor = 101, kPlain = 111, kTransposed = 112;
using Sgemm = void (*)(int order, int transpose_a, int transpose_b, int m, int n, int k,
                       float alpha, const float* a, int lda, const float* b, int ldb,
                       float beta, float* c, int ldc);

class OpenBlas final : public Blas {
 public:
  explicit OpenBlas(Sgemm sgemm) : sgemm_(sgemm) {}
  [[nodiscard]] std::string name() const override { return "openblas"; }
  void multiply(int m, int n, int k, const float* x, const float* w, float* y) override {
    sgemm_(kRowMajor, kPlain, kTransposed, m, n, k, 1, x, k, w, k, 0, y, n);
  }

 private:
  Sgemm sgemm_;
};

class Loops final : public Blas {
 public:
  [[nodiscard]] std::string name() const override { return "loops"; }
  void multiply(int m, int n, int k, const float* x, const float* w, float* y) override {
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < n; ++j) {
        const float* a = x + static_cast<std::ptrdiff_t>(i) * k;
        const float* b = w + static_cast<std::ptrdiff_t>(j) * k;
        float sum = 0;
        for (int l = 0; l < k; ++l) sum += a[l] * b[l];
        y[static_cast<std::ptrdiff_t>(i) * n + j] = sum;
      }
    }
  }
};

}  // namespace

std::unique_ptr<Blas> open_openblas() {
  const char* chosen = std::getenv("MOESIM_OPENBLAS");
  void* library =
      dlopen(chosen != nullptr ? chosen : "libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return nullptr;
  const auto sgemm = reinterpret_cast<Sgemm>(dlsym(library, "cblas_sgemm"));
  return sgemm == nullptr ? nullptr : std::make_unique<OpenBlas>(sgemm);
}

std::unique_ptr<Blas> plain_loops() { return std::make_unique<Loops>(); }

}  // namespace moesim
