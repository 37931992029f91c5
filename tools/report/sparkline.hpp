// Curves for a terminal: "queue  ▁▁▂▅█▆▂▁  0 .. 312 requests".
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "tools/report/series.hpp"

namespace moesim {

// `values` as `width` bars of eight heights from zero (or the least value, if negative) to the
// largest; neighbours are averaged, "·" stands for no data. Empty for no values.
std::string sparkline(std::span<const double> values, std::size_t width);

// One line per track: label, curve, smallest and largest value with the unit.
std::string sparklines(std::span<const Track> tracks, std::size_t width = 48);

// The curves a reader asks for first: queue, batch, tokens out, step time, GPUs, KV, balance.
std::string key_sparklines(const ReportSeries& series);

}  // namespace moesim
