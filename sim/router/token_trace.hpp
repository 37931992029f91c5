// tokens.jsonl: the experts that single tokens took, as real engines record it.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "sim/router/load_trace.hpp"

namespace moesim {

struct TokenTrace {
  int layers = 0;
  int experts = 0;
  int top_k = 0;
  // True where rows name request and position: then row i is the same token in every layer.
  bool joined = false;
  std::vector<std::vector<int>> chosen;     // per layer: rows x top_k
  std::vector<std::vector<double>> weight;  // per layer: tokens that a row stands for
  std::vector<std::vector<int>> source;     // per layer: attention rank of a row, 0 if unknown

  [[nodiscard]] std::size_t rows(int layer) const {
    return weight[static_cast<std::size_t>(layer)].size();
  }
  [[nodiscard]] std::span<const int> of(int layer, std::size_t row) const {
    const auto k = static_cast<std::size_t>(top_k);
    return std::span(chosen[static_cast<std::size_t>(layer)]).subspan(row * k, k);
  }
  friend bool operator==(const TokenTrace&, const TokenTrace&) = default;
};

// Reads one JSON object per line:
//   {"layer": 0, "source": 3, "experts": [5, 17], "count": 1, "request": "a", "position": 12}
// `source`, `count`, `request` and `position` may be missing, the last two only together and
// everywhere. Throws InputError with line and reason of every fault, as read_load_trace(); a
// row with the wrong number of experts, an expert twice, or a token without one of the layers
// are faults too.
TokenTrace read_token_trace(const std::filesystem::path& path, const TraceShape& shape);

void write_token_trace(const std::filesystem::path& path, const TokenTrace& trace);

// Tokens per (layer, expert) of the whole trace, divided by the tokens: inclusion.
std::vector<double> inclusion_of(const TokenTrace& trace);

// The rows with index % parts == part (or all the others): for training and judging apart.
enum class Pick { only, except };
TokenTrace part_of(const TokenTrace& trace, std::size_t part, std::size_t parts, Pick pick);

}  // namespace moesim
