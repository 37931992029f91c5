#include "calibrate/cuda/host.h"

#include <cuda_bf16.h>
#include <cuda_fp8.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace moesim_cuda {
namespace {

template <class T, class Read>
std::vector<double> numbers(Session& session, const void* from, std::size_t count, Read read) {
  const auto raw = session.download<T>(from, count);
  std::vector<double> out(count);
  std::transform(raw.begin(), raw.end(), out.begin(), read);
  return out;
}

}  // namespace

std::vector<double> download_numbers(Session& session, const void* from, std::size_t count,
                                     Format format) {
  switch (format) {
    case Format::bf16:
      return numbers<__nv_bfloat16>(session, from, count,
                                    [](__nv_bfloat16 x) { return __bfloat162float(x); });
    case Format::fp8:
      return numbers<__nv_fp8_e4m3>(session, from, count,
                                    [](__nv_fp8_e4m3 x) { return static_cast<float>(x); });
    case Format::int8:
      return numbers<signed char>(session, from, count, [](signed char x) { return x; });
    case Format::f32:
    case Format::scale:
      break;
  }
  return numbers<float>(session, from, count, [](float x) { return x; });
}

double rounded(double x, Format format) {
  const auto f = static_cast<float>(x);
  if (format == Format::bf16) return __bfloat162float(__float2bfloat16(f));
  if (format == Format::fp8) return static_cast<float>(__nv_fp8_e4m3(f));
  return x;
}

void Comparison::add(double got, double expected) {
  const double d = std::abs(got - expected);
  difference_ =
      std::isfinite(d) ? std::max(difference_, d) : std::numeric_limits<double>::infinity();
  scale_ = std::max(scale_, std::abs(expected));
}

double Comparison::error() const { return difference_ / std::max(scale_, 1e-30); }

}  // namespace moesim_cuda
