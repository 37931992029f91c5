#include "sim/machine/transport_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"

namespace moesim {
namespace {

// The columns of a cost, once for reading and writing.
std::array<double*, 11> columns(TransportCost& c) {
  return {&c.fixed.value,      &c.per_doubling.value,
          &c.per_expert.value, &c.network_fixed.value,
          &c.local_inverse,    &c.network_inverse,
          &c.half_row.value,   &c.local_sm,
          &c.network_sm,       &c.power,
          &c.fill.value};
}

constexpr std::string_view kHeader =
    "name,op,fixed_s,per_doubling_s,per_expert_s,network_fixed_s,local_inverse,network_inverse,"
    "half_row_bytes,local_sm,network_sm,power,fill_s,trained,held_out,median_error,p90_error,"
    "source";

// The larger of what the link and what the copying SMs allow, rounded where they meet.
double slower(double link, double sms) {
  return sms > 0 ? std::cbrt(link * link * link + sms * sms * sms) : link;
}

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> cells;
  std::stringstream stream(line);
  for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
  return cells;
}

}  // namespace

Seconds overhead_of(const TransportCost& cost, int ranks, int domains,
                    double experts_per_rank) {
  // `fixed` may be negative: it is what is left at one rank of a fit at several.
  return std::max(Seconds{0}, cost.fixed + cost.per_doubling * std::log2(std::max(ranks, 1)) +
                                  cost.per_expert * experts_per_rank +
                                  (domains > 1 ? cost.network_fixed : Seconds{0}));
}

Efficiency efficiency_of(const TransportCost& cost, Bytes row, int sms, Seconds local,
                         Seconds network) {
  const double copiers = std::max(sms, 1);
  const double slow_local = slower(cost.local_inverse, cost.local_sm / copiers) *
                            (1 + (row.value > 0 ? cost.half_row / row : 0.0));
  const double slow_network = slower(cost.network_inverse, cost.network_sm / copiers);
  const double l = local.value * slow_local;
  const double n = network.value * slow_network;
  const double most = std::max(l, n);
  if (most <= 0) return {1 / slow_local, 1 / slow_network};
  const double least = std::min(l, n) / most;
  const double x =
      least > 1e-3 ? most * std::pow(1 + std::pow(least, cost.power), 1 / cost.power) : most;
  const double fill = cost.fill.value;
  const double stretched = fill > 0 ? x + fill * x / (x + fill) : x;
  const double factor = stretched / most;
  return {1 / (slow_local * factor), 1 / (slow_network * factor)};
}

std::vector<TransportRecord> read_transport_records(const std::string& path) {
  std::stringstream text(read_file(path));
  std::vector<TransportRecord> records;
  int number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    if (line.empty() || line[0] == '#' || line == kHeader) continue;
    const std::vector<std::string> cells = split(line);
    try {
      TransportRecord r;
      r.name = cells.at(0);
      r.op = cells.at(1);
      std::size_t at = 2;
      for (double* value : columns(r.cost)) *value = std::stod(cells.at(at++));
      r.trained = std::stoi(cells.at(13));
      r.held_out = std::stoi(cells.at(14));
      r.median_error = std::stod(cells.at(15));
      r.p90_error = std::stod(cells.at(16));
      r.source = cells.at(17);
      records.push_back(std::move(r));
    } catch (const std::logic_error&) {
      Diagnostics out;
      out.error({path, number, 1, line}, "not a transport record", std::string(kHeader));
      out.throw_if_errors();
    }
  }
  return records;
}

std::string write_transport_records(const std::vector<TransportRecord>& records) {
  std::string out = std::string(kHeader) + "\n";
  for (TransportRecord r : records) {
    out += r.name + "," + r.op;
    for (const double* value : columns(r.cost)) out += fmt::format(",{:.6g}", *value);
    out += fmt::format(",{},{},{:.4f},{:.4f},{}\n", r.trained, r.held_out, r.median_error,
                       r.p90_error, r.source);
  }
  return out;
}

}  // namespace moesim
