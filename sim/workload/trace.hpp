// A recorded workload: CSV with a header line, or JSON lines, one request each.
//
// Columns (tools/convert/ makes them from other layouts): arrival_s, input_tokens,
// output_tokens, and optionally tenant (a name), priority (an integer) and prefix (a number
// that requests with the same prompt beginning share). Lines that begin with # are skipped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/units.hpp"

namespace moesim {

struct TraceRow {
  Seconds arrival{0};  // the first row's arrival is 0
  int input_tokens = 1;
  int output_tokens = 1;
  int tenant = -1;  // index into Trace::tenants; -1: the trace names none
  int priority = 0;
  std::uint64_t prefix = 0;

  friend bool operator==(const TraceRow&, const TraceRow&) = default;
};

struct Trace {
  std::vector<TraceRow> rows;  // by arrival; rows of equal arrival keep the file's order
  std::vector<std::string> tenants;
};

// Throws InputError with every faulty line (the first 20), WorldError if it cannot be read.
Trace read_trace(const std::string& path);
// The same from text; `name` is for messages, and ".jsonl" at its end means JSON lines.
Trace parse_trace(std::string_view text, const std::string& name);

struct WeightedLength {
  double tokens = 1;
  double weight = 1;
};
// CSV of length,weight (a header line is allowed), sorted by length.
std::vector<WeightedLength> read_lengths(const std::string& path);
std::vector<WeightedLength> parse_lengths(std::string_view text, const std::string& name);

}  // namespace moesim
