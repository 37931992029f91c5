#include "sim/base/rng.hpp"

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

constexpr std::uint64_t splitmix64(std::uint64_t& x) {
  std::uint64_t z = (x += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

constexpr std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return hash;
}

}  // namespace

Stream::Stream(std::uint64_t seed, std::string_view purpose, std::uint64_t index) {
  std::uint64_t x = seed;
  std::uint64_t mixed = splitmix64(x) ^ fnv1a(purpose);
  mixed = splitmix64(mixed) ^ index;
  for (auto& word : state_) word = splitmix64(mixed);
}

std::uint64_t Stream::below(std::uint64_t n) {
  if (n == 0) return 0;
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(bits()) * n;
  auto low = static_cast<std::uint64_t>(product);
  if (low < n) {
    const std::uint64_t threshold = -n % n;
    while (low < threshold) {
      product = static_cast<Wide>(bits()) * n;
      low = static_cast<std::uint64_t>(product);
    }
  }
  return static_cast<std::uint64_t>(product >> 64);
}

double Stream::normal() {
  // Marsaglia's polar method.
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  double u = 0;
  double v = 0;
  double s = 0;
  do {
    u = 2 * uniform() - 1;
    v = 2 * uniform() - 1;
    s = u * u + v * v;
  } while (s >= 1 || s == 0);
  const double scale = std::sqrt(-2 * std::log(s) / s);
  spare_ = v * scale;
  has_spare_ = true;
  return u * scale;
}

double Stream::exponential(double mean) { return -mean * std::log(open_uniform()); }

double Stream::gumbel() { return -std::log(-std::log(open_uniform())); }

double Stream::gamma(double shape, double scale) {
  if (shape < 1) {
    return gamma(shape + 1, scale) * std::pow(open_uniform(), 1 / shape);
  }
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = normal();
    const double v = std::pow(1 + c * x, 3);
    if (v <= 0) continue;
    if (std::log(open_uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) {
      return d * v * scale;
    }
  }
}

double Stream::lognormal(double mean, double cv) {
  const double variance = std::log1p(cv * cv);
  return mean * std::exp(std::sqrt(variance) * normal() - variance / 2);
}

std::uint64_t Stream::poisson(double mean) {
  if (mean <= 0) return 0;
  // Split large means: Poisson(a + b) = Poisson(a) + Poisson(b); below 30 by inversion.
  std::uint64_t total = 0;
  while (mean > 30) {
    // The k-th arrival of a unit Poisson process is Gamma(k): Ahrens and Dieter 1974.
    const auto k = static_cast<std::uint64_t>(mean * 0.875);
    const double arrival = gamma(static_cast<double>(k), 1);
    if (arrival > mean) return total + binomial(k - 1, mean / arrival);
    total += k;
    mean -= arrival;
  }
  double p = std::exp(-mean);
  double u = uniform();
  std::uint64_t few = 0;
  while (u > p) {
    u -= p;
    p *= mean / static_cast<double>(++few);
    if (p < 1e-300) break;
  }
  return total + few;
}

std::uint64_t Stream::binomial(std::uint64_t n, double p) {
  if (n == 0 || p <= 0) return 0;
  if (p >= 1) return n;
  if (p > 0.5) return n - binomial(n, 1 - p);
  // Recursive median split (Devroye 1986, X.4.3): the k-th order statistic of n uniforms is
  // Beta(k, n + 1 - k); exact, and logarithmic in n until inversion is cheap.
  std::uint64_t total = 0;
  while (static_cast<double>(n) * p > 16) {
    const std::uint64_t k = (n + 1) / 2;
    const double a = gamma(static_cast<double>(k), 1);
    const double b = gamma(static_cast<double>(n + 1 - k), 1);
    const double order = a / (a + b);
    if (order <= p) {
      total += k;
      n -= k;
      p = (p - order) / (1 - order);
    } else {
      n = k - 1;
      p = p / order;
    }
    if (n == 0 || p <= 0) return total;
    if (p >= 1) return total + n;
  }
  if (p > 0.5) return total + n - binomial(n, 1 - p);
  // Inversion by sequential search.
  const double ratio = p / (1 - p);
  double f = std::exp(static_cast<double>(n) * std::log1p(-p));
  double u = uniform();
  std::uint64_t x = 0;
  while (u > f && x < n) {
    u -= f;
    f *= ratio * static_cast<double>(n - x) / static_cast<double>(x + 1);
    ++x;
  }
  return total + x;
}

}  // namespace moesim
