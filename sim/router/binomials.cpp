#include "sim/router/binomials.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "sim/router/normal.hpp"

namespace moesim {

const float* normal_table() {
  static const std::vector<float> table = [] {
    std::vector<float> z(kNormals);
    double square = 0;
    for (std::size_t i = 0; i < kNormals; ++i) {
      const double part = (static_cast<double>(i) + 0.5) / static_cast<double>(kNormals);
      z[i] = static_cast<float>(normal_quantile(part));
      square += static_cast<double>(z[i]) * z[i] / static_cast<double>(kNormals);
    }
    for (float& quantile : z) quantile /= static_cast<float>(std::sqrt(square));
    return z;
  }();
  return table.data();
}

namespace {

constexpr float kFewTokens = 3.0F;
// Past this a count with such a mean has a chance below 1e-16.
constexpr int kMostFew = 31;
// The nearest below 1 that p / (1 - p) and log(1 - p) can live with.
constexpr float kNearlyOne = 1 - 0x1p-23F;

constexpr std::size_t kLanes = 16;
using Floats = std::array<float, kLanes>;
using Ints = std::array<std::int32_t, kLanes>;

// e^x for -80 <= x <= 0 to single precision: 2^k e^r, |r| <= ln(2) / 2 (Cody and Waite's split
// of ln 2), Taylor's series to r^7.
inline float exp_of(float x) {
  const auto k = static_cast<std::int32_t>(x * 1.44269504F - 0.5F);  // x <= 0: rounds
  const auto whole = static_cast<float>(k);
  const float r = (x - whole * 0.693359375F) + whole * 2.12194440e-4F;
  const float series =
      1 + r * (1 + r * (1.0F / 2 +
                        r * (1.0F / 6 +
                             r * (1.0F / 24 +
                                  r * (1.0F / 120 + r * (1.0F / 720 + r * (1.0F / 5040)))))));
  return series * std::bit_cast<float>((k + 127) << 23);
}

// log(1 - p) to single precision for p <= .1.
inline float log_miss(float p) {
  return -p * (1 + p * (1.0F / 2 + p * (1.0F / 3 + p * (1.0F / 4 + p * (1.0F / 5 + p / 6)))));
}

// Chance of none: (1 - p)^n.
void none_of(int n, const Floats& p, Floats& none) {
  const auto count = static_cast<float>(n);
  Floats log;
  bool often = false;
  for (std::size_t i = 0; i < kLanes; ++i) {
    log[i] = log_miss(p[i]);
    often |= p[i] > 0.1F && count * p[i] < kFewTokens;
  }
  for (std::size_t i = 0; often && i < kLanes; ++i) {
    if (p[i] > 0.1F) log[i] = std::log1p(-p[i]);
  }
  for (std::size_t i = 0; i < kLanes; ++i) none[i] = exp_of(std::max(count * log[i], -80.0F));
}

// By sequential search from u in [0, 1): P(x + 1) = P(x) p / (1 - p) (n - x) / (x + 1). Lanes
// with u < 0 get 0.
void search(int n, const Floats& p, Floats u, Ints& x) {
  Floats f;
  none_of(n, p, f);
  Floats ratio;
  for (std::size_t i = 0; i < kLanes; ++i) ratio[i] = p[i] / (1 - p[i]);
  x.fill(0);
  const int most = std::min(n, kMostFew);
  for (int k = 0; k < most; ++k) {
    const auto left = static_cast<float>(n - k);
    const float inverse = 1.0F / static_cast<float>(k + 1);
    std::int32_t any = 0;
    for (std::size_t i = 0; i < kLanes; ++i) {
      // Those that have stopped have u <= f, and both stay.
      const std::int32_t more = u[i] > f[i] ? 1 : 0;
      u[i] = more != 0 ? u[i] - f[i] : u[i];
      f[i] = more != 0 ? f[i] * (ratio[i] * left * inverse) : f[i];
      x[i] += more;
      any |= more;
    }
    if (any == 0) return;
  }
}

// From a standard normal quantile z. The skewness term keeps mean and tails right; 1/12 is the
// variance that rounding to whole tokens adds.
void expand(int n, const Floats& p, const Floats& z, float variance, Ints& x) {
  const auto count = static_cast<float>(n);
  for (std::size_t i = 0; i < kLanes; ++i) {
    const float mean = count * p[i];
    const float own = p[i] * (1 - p[i]);
    const float all = std::max(2 * own, variance);
    const float widened = mean * (1 - p[i]) * (all / (all - own));
    const float spread = std::sqrt(std::max(widened - 1.0F / 12, 0.0F));
    const float value = mean + spread * z[i] + (1 - 2 * p[i]) * (z[i] * z[i] - 1) / 6;
    x[i] = std::clamp(static_cast<std::int32_t>(value + 0.5F), 0, n);
  }
}

void draw_block(int n, const Floats& p, float variance,
                const std::array<std::uint64_t, kLanes>& bits, Ints& out) {
  const float* normal = normal_table();
  const auto count = static_cast<float>(n);
  Floats u;
  Floats z;
  std::array<std::int32_t, kLanes> few;
  std::int32_t some_few = 0;
  std::int32_t some_many = 0;
  for (std::size_t i = 0; i < kLanes; ++i) {
    few[i] = count * p[i] < kFewTokens ? 1 : 0;
    some_few |= few[i];
    some_many |= 1 - few[i];
    const float uniform =
        static_cast<float>(static_cast<std::int32_t>(bits[i] >> 40)) * 0x1p-24F;
    u[i] = few[i] != 0 ? uniform : -1.0F;
    z[i] = normal[bits[i] & (kNormals - 1)];
  }
  Ints many{};
  out.fill(0);
  if (some_few != 0) search(n, p, u, out);
  if (some_many == 0) return;
  expand(n, p, z, variance, many);
  for (std::size_t i = 0; i < kLanes; ++i) out[i] = few[i] != 0 ? out[i] : many[i];
}

}  // namespace

void draw_binomials(int n, std::span<const float> p, float variance,
                    std::span<const std::uint64_t> bits, std::span<int> out) {
  Floats block;
  std::array<std::uint64_t, kLanes> random;
  Ints drawn;
  for (std::size_t first = 0; first < p.size(); first += kLanes) {
    const std::size_t lanes = std::min(kLanes, p.size() - first);
    block.fill(0);
    random.fill(0);
    for (std::size_t i = 0; i < lanes; ++i) {
      block[i] = std::min(p[first + i], kNearlyOne);
      random[i] = bits[first + i];
    }
    draw_block(n, block, variance, random, drawn);
    for (std::size_t i = 0; i < lanes; ++i) {
      out[first + i] = p[first + i] < kNearlyOne ? drawn[i] : n;
    }
  }
}

}  // namespace moesim
