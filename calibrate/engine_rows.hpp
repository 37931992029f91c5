// The rows of one engine among those of all.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "calibrate/fit_attention.hpp"
#include "calibrate/profile.hpp"

namespace moesim {

template <class Row>
void append(std::vector<Row>& to, std::vector<Row> from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()),
            std::make_move_iterator(from.end()));
}

// The engine whose rows to use: the wanted one, or the first other in a fixed order. SGLang and
// vLLM share their attention libraries (FlashAttention, FlashInfer), so each asks the other
// first.
template <class Row>
std::string engine_for(const std::vector<Row>& rows, const std::string& wanted) {
  std::set<std::string> have;
  for (const Row& row : rows) have.insert(row.key.engine);
  if (have.empty() || have.contains(wanted)) return wanted;
  const bool attention = std::is_same_v<Row, AttentionRow>;
  if (attention && wanted == "sglang" && have.contains("vllm")) return "vllm";
  for (const char* other : {"sglang", "trtllm", "vllm"}) {
    if (have.contains(other)) return other;
  }
  return *have.begin();
}

template <class Row>
std::vector<Row> rows_of(const std::vector<Row>& rows, const std::string& engine) {
  std::vector<Row> out;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(out),
               [&](const Row& row) { return row.key.engine == engine; });
  return out;
}

// Of the profile's engine, or of another, which its notes then say.
template <class Row>
std::vector<Row> choose_engine(const std::vector<Row>& rows, const std::string& what,
                               Profile& profile) {
  const std::string engine = engine_for(rows, profile.engine);
  auto chosen = rows_of(rows, engine);
  if (chosen.empty()) {
    profile.notes.push_back(fmt::format("no table of {}: priced by the datasheet", what));
  } else if (engine != profile.engine) {
    profile.notes.push_back(fmt::format("{} borrowed from {}", what, engine));
  }
  return chosen;
}

}  // namespace moesim
