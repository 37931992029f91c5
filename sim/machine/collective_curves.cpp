#include "sim/machine/collective_curves.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"

namespace moesim {
namespace {

constexpr std::string_view kHeader = "system,library,op,ranks,bytes,seconds";

// The measured system to stand for a GPU; nearest by NVLink generation.
std::string_view stand_in(std::string_view gpu) {
  constexpr std::array<std::array<std::string_view, 2>, 11> known{{{"h20", "h200_sxm"},
                                                                   {"h200", "h200_sxm"},
                                                                   {"h100", "h100_sxm"},
                                                                   {"h800", "h100_sxm"},
                                                                   {"a100", "a100_sxm"},
                                                                   {"a800", "a100_sxm"},
                                                                   {"gb200", "gb200"},
                                                                   {"gb300", "gb300"},
                                                                   {"b200", "b200_sxm"},
                                                                   {"b300", "b300_sxm"},
                                                                   {"l40s", "l40s"}}};
  for (const auto& [prefix, system] : known) {
    if (gpu.starts_with(prefix)) return system;
  }
  return "";
}

}  // namespace

std::vector<CollectiveCurve> find_curves(std::string_view gpu) {
  static const auto all =
      read_curves((data_folder() / "calibrate/profiles/network/collectives.csv").string());
  const std::string_view system = stand_in(gpu);
  std::vector<CollectiveCurve> out;
  for (const CollectiveCurve& curve : all) {
    if (!system.empty() && curve.system == system) out.push_back(curve);
  }
  return out;
}

const CollectiveCurve* curve_for(const std::vector<CollectiveCurve>& curves,
                                 std::string_view library, std::string_view op, int ranks) {
  const CollectiveCurve* best = nullptr;
  for (const CollectiveCurve& c : curves) {
    if (c.library != library || c.op != op) continue;
    const bool better =
        best == nullptr || (best->ranks < ranks ? c.ranks > best->ranks
                                                : c.ranks >= ranks && c.ranks < best->ranks);
    if (better) best = &c;
  }
  return best;
}

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
