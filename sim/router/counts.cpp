#include "sim/router/counts.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "sim/base/errors.hpp"
#include "sim/router/normal.hpp"

namespace moesim {

namespace {

// Quantiles of the standard normal distribution, so that a draw is a table look-up.
constexpr int kTable = 4096;
constexpr std::uint64_t kMask = kTable - 1;

const std::vector<float>& normal_table() {
  static const std::vector<float> table = [] {
    std::vector<float> z(kTable);
    double square = 0;
    for (std::size_t i = 0; i < kTable; ++i) {
      z[i] = static_cast<float>(normal_quantile((static_cast<double>(i) + 0.5) / kTable));
      square += static_cast<double>(z[i]) * z[i] / kTable;
    }
    for (float& quantile : z) quantile /= static_cast<float>(std::sqrt(square));
    return z;
  }();
  return table;
}

// Below this mean a binomial is drawn by inversion, above it by its Cornish-Fisher expansion.
constexpr float kFewTokens = 3.0F;

// Past this a count with such a mean has a chance below 1e-16.
constexpr int kMostFew = 31;
constexpr auto kInverse = [] {
  std::array<float, kMostFew + 2> inverse{};
  for (std::size_t i = 1; i < inverse.size(); ++i) inverse[i] = 1.0F / static_cast<float>(i);
  return inverse;
}();
// From this mean on no plausible count is near zero.
constexpr float kPlenty = 12.0F;

// log(1 - p) to float precision.
float log_miss(float p) {
  if (p > 0.1F) return std::log1p(-p);
  return -p * (1 + p * (1.0F / 2 + p * (1.0F / 3 + p * (1.0F / 4 + p * (1.0F / 5 + p / 6)))));
}

// Binomial(n, p) with a small mean, by sequential search from u in [0, 1).
int few(int n, float p, float u) {
  const float ratio = p / (1 - p);
  float f = std::exp(static_cast<float>(n) * log_miss(p));
  int x = 0;
  while (u > f && x < n) {
    u -= f;
    f *= ratio * static_cast<float>(n - x) * kInverse[x + 1];
    ++x;
    if (x == kMostFew) break;
  }
  return x;
}

// Binomial(n, p) from a standard normal quantile z. The skewness term keeps mean and tails
// right; 1/12 is the variance that rounding to whole tokens adds. `share` of the layer's
// variance is lost when the residual is spread, so it is put in beforehand.
int many(int n, float p, float variance_factor, float z) {
  const float mean = static_cast<float>(n) * p;
  const float variance = mean * (1 - p) * variance_factor;
  const float spread = std::sqrt(std::max(variance - 1.0F / 12, 0.0F));
  const float x = mean + spread * z + (1 - 2 * p) * (z * z - 1) / 6;
  return std::clamp(static_cast<int>(x + 0.5F), 0, n);
}

// Adds `missing` tokens (or takes them away) in proportion to `weight`, by systematic
// sampling: unbiased for every expert and exact in sum. Returns what did not fit in [0, n].
int spread(int missing, int n, std::span<const float> weight, double total, double offset,
           std::span<int> counts) {
  const double per_weight = std::abs(missing) / total;
  const int sign = missing > 0 ? 1 : -1;
  double running = offset;
  int given = 0;
  int left = std::abs(missing);
  for (std::size_t e = 0; e < counts.size(); ++e) {
    running += weight[e] * per_weight;
    const int upto = static_cast<int>(running);
    const int share = upto - given;
    given = upto;
    const int room = sign > 0 ? n - counts[e] : counts[e];
    const int moved = std::min({share, room, left});
    counts[e] += sign * moved;
    left -= moved;
  }
  return sign * left;
}

void settle(int missing, int tokens, std::span<const float> p, Stream& stream,
            std::span<float> weight, std::span<int> counts) {
  for (int round = 0; missing != 0 && round < 8; ++round) {
    double total = 0;
    for (std::size_t e = 0; e < counts.size(); ++e) {
      const bool can_move = missing > 0 ? counts[e] < tokens : counts[e] > 0;
      // By expectation, as a normal vector is conditioned on its sum; where few tokens are to
      // be taken away, by what is there, as a Poisson vector is.
      const float mean = static_cast<float>(tokens) * p[e];
      const bool few_there = missing < 0 && mean < kPlenty;
      const float size = few_there ? static_cast<float>(counts[e]) : mean;
      weight[e] = can_move ? size * (1 - p[e]) : 0;
      total += weight[e];
    }
    if (total <= 0) break;
    missing = spread(missing, tokens, weight, total, stream.uniform(), counts);
  }
  for (std::size_t e = 0; missing != 0 && e < counts.size(); ++e) {
    const int moved =
        missing > 0 ? std::min(missing, tokens - counts[e]) : std::max(missing, -counts[e]);
    counts[e] += moved;
    missing -= moved;
  }
  MOESIM_LAW(missing == 0, "tokens routed = tokens x top_k");
}

// p becomes pi with every rate times exp(jitter z), to second order and with mean 1, at the
// level that keeps the sum of p.
void shake(const CountRates& rates, float jitter, const float* normal, Stream& stream,
           std::span<float> shift, std::span<float> p) {
  const std::size_t experts = p.size();
  float moved = 0;
  float slopes = 0;
  for (std::size_t e = 0; e < experts; e += 4) {
    std::uint64_t bits = stream.bits();
    for (std::size_t i = e; i < std::min(e + 4, experts); ++i) {
      const float z = normal[bits & kMask];
      bits >>= 16;
      shift[i] = jitter * (z + jitter / 2 * (z * z - 1));
      moved += rates.slope[i] * shift[i];
      slopes += rates.slope[i];
    }
  }
  const float level = slopes > 0 ? moved / slopes : 0;
  for (std::size_t e = 0; e < experts; ++e) {
    p[e] = std::clamp(rates.pi[e] + rates.slope[e] * (shift[e] - level), 0.0F, 1.0F);
  }
}

}  // namespace

void draw_counts(const CountRates& rates, double jitter, int tokens, int top_k, Stream& stream,
                 std::span<float> scratch, std::span<int> counts) {
  const std::size_t experts = counts.size();
  if (tokens == 0) {
    std::fill(counts.begin(), counts.end(), 0);
    return;
  }
  std::span<float> p = scratch.first(experts);
  std::span<float> weight = scratch.subspan(experts, experts);
  const float* normal = normal_table().data();
  if (jitter > 0) {
    shake(rates, static_cast<float>(jitter), normal, stream, weight, p);
  } else {
    std::copy(rates.pi.begin(), rates.pi.end(), p.begin());
  }
  float variance = 0;
  for (std::size_t e = 0; e < experts; ++e) variance += p[e] * (1 - p[e]);
  int sum = 0;
  for (std::size_t e = 0; e < experts; ++e) {
    const std::uint64_t bits = stream.bits();
    if (static_cast<float>(tokens) * p[e] < kFewTokens) {
      counts[e] = few(tokens, p[e], static_cast<float>(bits >> 40) * 0x1p-24F);
    } else {
      const float own = p[e] * (1 - p[e]);
      const float all = std::max(2 * own, variance);
      counts[e] = many(tokens, p[e], all / (all - own), normal[bits & kMask]);
    }
    sum += counts[e];
  }
  settle(tokens * top_k - sum, tokens, p, stream, weight, counts);
}

}  // namespace moesim
