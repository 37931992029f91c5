#include "sim/router/counts.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "sim/base/errors.hpp"
#include "sim/router/binomials.hpp"

namespace moesim {

namespace {

// From this mean on no plausible count is near zero.
constexpr float kPlenty = 12.0F;

// Sums in four lanes, added up in the end: the same on every machine, and no chain of waits.
class LaneSum {
 public:
  void add(std::size_t i, float value) { lane_[i % 4] += value; }
  [[nodiscard]] float total() const { return (lane_[0] + lane_[1]) + (lane_[2] + lane_[3]); }

 private:
  std::array<float, 4> lane_{};
};

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
void shake(const CountRates& rates, float jitter, Stream& stream, std::span<float> shift,
           std::span<float> p) {
  const float* normal = normal_table();
  const std::size_t experts = p.size();
  for (std::size_t e = 0; e < experts; e += 4) {
    std::uint64_t bits = stream.bits();
    for (std::size_t i = e; i < std::min(e + 4, experts); ++i) {
      shift[i] = normal[bits & (kNormals - 1)];
      bits >>= 16;
    }
  }
  LaneSum moved;
  LaneSum slopes;
  for (std::size_t e = 0; e < experts; ++e) {
    const float z = shift[e];
    shift[e] = jitter * (z + jitter / 2 * (z * z - 1));
    moved.add(e, rates.slope[e] * shift[e]);
    slopes.add(e, rates.slope[e]);
  }
  const float level = slopes.total() > 0 ? moved.total() / slopes.total() : 0;
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
  if (jitter > 0) {
    shake(rates, static_cast<float>(jitter), stream, weight, p);
  } else {
    std::copy(rates.pi.begin(), rates.pi.end(), p.begin());
  }
  LaneSum variance;
  for (std::size_t e = 0; e < experts; ++e) variance.add(e, p[e] * (1 - p[e]));
  std::array<std::uint64_t, 64> bits;
  int sum = 0;
  for (std::size_t first = 0; first < experts; first += bits.size()) {
    const std::size_t some = std::min(bits.size(), experts - first);
    for (std::size_t i = 0; i < some; ++i) bits[i] = stream.bits();
    const std::span<int> drawn = counts.subspan(first, some);
    draw_binomials(tokens, p.subspan(first, some), variance.total(),
                   std::span(bits).first(some), drawn);
    for (const int count : drawn) sum += count;
  }
  settle(tokens * top_k - sum, tokens, p, stream, weight, counts);
}

}  // namespace moesim
