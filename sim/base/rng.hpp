// Randomness: a named stream per purpose from one seed; distributions of our own, so that the
// same seed gives the same numbers with every standard library and on any number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace moesim {

// xoshiro256++ 1.0 (Blackman and Vigna, "Scrambled linear pseudorandom number generators",
// ACM TOMS 2021), seeded through splitmix64 from (seed, purpose, index).
class Stream {
 public:
  Stream(std::uint64_t seed, std::string_view purpose, std::uint64_t index = 0);

  std::uint64_t bits() {
    const std::uint64_t result = rotate(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // In [0, 1), 53 bits.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  // In (0, 1): safe to take the logarithm of.
  double open_uniform() { return (static_cast<double>(bits() >> 12) + 0.5) * 0x1p-52; }
  // In [0, n), unbiased (Lemire, "Fast random integer generation in an interval", 2019).
  std::uint64_t below(std::uint64_t n);

  double normal();  // mean 0, variance 1
  double exponential(double mean);
  double gumbel();                           // location 0, scale 1
  double gamma(double shape, double scale);  // Marsaglia and Tsang 2000
  double lognormal(double mean, double cv);  // by its own mean and std / mean
  std::uint64_t poisson(double mean);
  std::uint64_t binomial(std::uint64_t n, double p);

 private:
  static constexpr std::uint64_t rotate(std::uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
  }
  std::array<std::uint64_t, 4> state_;
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace moesim
