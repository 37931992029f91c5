#include <fmt/format.h>

#include <regex>

#include "calibrate/import/import.hpp"
#include "calibrate/table.hpp"
#include "sim/base/diagnostics.hpp"

namespace moesim {

namespace {

// "[tuning] Best dispatch (FP8): SMs 24, NVL chunk 20, RDMA chunk 16: 58.03 GB/s (RDMA),
// 153.3 GB/s (NVL)"; later versions add a time, before the bandwidths or as "t: 678.1 us".
const std::regex& best_line() {
  static const std::regex pattern(R"(Best (dispatch|combine)(?: \((\w+)\))?:(.*))");
  return pattern;
}

// "[rank 3] Dispatch bandwidth: 98.35 GB/s, avg_t=76.38 us | Combine bandwidth: ..."
const std::regex& low_latency() {
  static const std::regex pattern(
      R"((Dispatch|Combine) bandwidth: ([0-9.]+) GB/s, avg_t=([0-9.]+) us)");
  return pattern;
}

double number(const std::smatch& match, std::size_t i) { return parse_number(match[i].str()); }

// The bandwidths of one tuning line, by link; the slower one rules.
CollectivePoint tuned(const std::smatch& match) {
  static const std::regex bandwidth(R"(([0-9.]+) GB/s \((RDMA|NVL)\))");
  static const std::regex time(R"(([0-9.]+) us)");
  CollectivePoint point;
  point.op = match[1].str();
  point.note = match[2].matched ? match[2].str() : "";
  const std::string rest = match[3].str();
  for (std::sregex_iterator it(rest.begin(), rest.end(), bandwidth), end; it != end; ++it) {
    const bool rdma = (*it)[2].str() == "RDMA";
    if (point.bus_bandwidth == 0 || rdma) point.bus_bandwidth = number(*it, 1) * 1e9;
    point.note += (point.note.empty() ? "" : " ") + (*it)[1].str() + " GB/s " + (*it)[2].str();
  }
  for (std::sregex_iterator it(rest.begin(), rest.end(), time), end; it != end; ++it) {
    point.seconds += number(*it, 1) * 1e-6;  // notify and the transfer proper
  }
  return point;
}

}  // namespace

std::vector<CollectivePoint> import_deepep(const std::string& file, std::string_view text) {
  std::vector<CollectivePoint> points;
  int ranks = 0;
  static const std::regex rank(R"(\[rank (\d+)\])");
  static const std::regex config(R"(num_ranks[=:]\s*(\d+))");
  for (const std::string_view view : split(text, '\n')) {
    const std::string line(view);
    std::smatch match;
    if (std::regex_search(line, match, config)) ranks = static_cast<int>(number(match, 1));
    if (std::regex_search(line, match, best_line())) {
      points.push_back(tuned(match));
      continue;
    }
    if (std::regex_search(line, match, rank)) {
      ranks = std::max(ranks, static_cast<int>(number(match, 1)) + 1);
    }
    for (std::sregex_iterator it(line.begin(), line.end(), low_latency()), end; it != end;
         ++it) {
      const std::string op = (*it)[1].str() == "Dispatch" ? "dispatch_ll" : "combine_ll";
      const double bandwidth = number(*it, 2) * 1e9, seconds = number(*it, 3) * 1e-6;
      points.push_back({op, 0, bandwidth * seconds, seconds, bandwidth, ""});
    }
  }
  for (CollectivePoint& point : points) point.ranks = ranks;
  if (points.empty()) {
    throw InputError({{Severity::error,
                       {file, 0, 0, ""},
                       "no DeepEP result is here",
                       "lines with 'Best dispatch' or 'Dispatch bandwidth'",
                       ""}});
  }
  return points;
}

}  // namespace moesim
