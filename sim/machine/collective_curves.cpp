#include "sim/machine/collective_curves.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"

namespace moesim {
namespace {

constexpr std::string_view kHeader = "system,library,op,ranks,bytes,seconds";

}  // namespace

Seconds read_curve(const CollectiveCurve& curve, Bytes bytes) {
  MOESIM_LAW(!curve.bytes.empty(), "a curve has points");
  const auto above = std::upper_bound(curve.bytes.begin(), curve.bytes.end(), bytes.value);
  if (above == curve.bytes.begin()) return Seconds{curve.seconds.front()};
  if (above == curve.bytes.end()) {
    return Seconds{curve.seconds.back() * bytes.value / curve.bytes.back()};
  }
  const auto i = static_cast<std::size_t>(above - curve.bytes.begin());
  const double t = std::log(bytes.value / curve.bytes[i - 1]) /
                   std::log(curve.bytes[i] / curve.bytes[i - 1]);
  return Seconds{curve.seconds[i - 1] * std::pow(curve.seconds[i] / curve.seconds[i - 1], t)};
}

std::vector<CollectiveCurve> read_curves(const std::string& path) {
  std::stringstream text(read_file(path));
  std::vector<CollectiveCurve> curves;
  int number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    if (line.empty() || line[0] == '#' || line == kHeader) continue;
    std::stringstream cells(line);
    std::string system, library, op, ranks, bytes, seconds;
    std::getline(cells, system, ',');
    std::getline(cells, library, ',');
    std::getline(cells, op, ',');
    std::getline(cells, ranks, ',');
    std::getline(cells, bytes, ',');
    std::getline(cells, seconds, ',');
    try {
      const int n = std::stoi(ranks);
      if (curves.empty() || curves.back().system != system ||
          curves.back().library != library || curves.back().op != op ||
          curves.back().ranks != n) {
        curves.push_back({system, library, op, n, {}, {}});
      }
      curves.back().bytes.push_back(std::stod(bytes));
      curves.back().seconds.push_back(std::stod(seconds));
    } catch (const std::logic_error&) {
      Diagnostics out;
      out.error({path, number, 1, line}, "not a point of a curve", std::string(kHeader));
      out.throw_if_errors();
    }
  }
  return curves;
}

std::string write_curves(const std::vector<CollectiveCurve>& curves) {
  std::string out = std::string(kHeader) + "\n";
  for (const CollectiveCurve& c : curves) {
    for (std::size_t i = 0; i < c.bytes.size(); ++i) {
      out += fmt::format("{},{},{},{},{:.0f},{:.6g}\n", c.system, c.library, c.op, c.ranks,
                         c.bytes[i], c.seconds[i]);
    }
  }
  return out;
}

}  // namespace moesim
