#include "sim/router/replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/router/trace_file.hpp"

namespace moesim {

Replay::Replay(LoadTrace trace, int top_k) : trace_(std::move(trace)), top_k_(top_k) {
  const auto& load = std::get<LoadTrace>(trace_);
  const auto n = static_cast<std::size_t>(load.experts);
  for (std::size_t s = 0; s < load.steps.size(); ++s) {
    for (std::size_t begin = 0; begin < load.counts[s].size(); begin += n) {
      const auto row = std::span(load.counts[s]).subspan(begin, n);
      const auto sum = std::accumulate(row.begin(), row.end(), std::int64_t{0});
      const int most = *std::max_element(row.begin(), row.end());
      if (sum > 0 && most * static_cast<std::int64_t>(top_k) <= sum) continue;
      throw InputError(
          fmt::format("step {}, layer {}: an expert takes {} of {} choices, which top {} "
                      "routing cannot give",
                      load.steps[s], begin / n, most, sum, top_k),
          "each token at an expert once at most: up to choices / top_k");
    }
  }
}

Replay::Replay(TokenTrace trace) : trace_(std::move(trace)) {
  const auto& tokens = std::get<TokenTrace>(trace_);
  top_k_ = tokens.top_k;
  for (int layer = 0; layer < tokens.layers; ++layer) {
    Cursor& cursor = cursors_.emplace_back();
    cursor.counts.resize(static_cast<std::size_t>(tokens.experts));
    for (std::size_t row = 0; row < tokens.rows(layer); ++row) {
      const auto weight =
          static_cast<std::int64_t>(tokens.weight[static_cast<std::size_t>(layer)][row]);
      cursor.round += weight;
      for (const int e : tokens.of(layer, row)) {
        cursor.counts[static_cast<std::size_t>(e)] += weight;
      }
    }
    if (cursor.round == 0) {
      throw InputError(fmt::format("no row of layer {} stands for a token", layer),
                       "a count above 0");
    }
  }
}

void Replay::counts(int tokens, std::span<Stream> streams, std::span<int> out) {
  if (const auto* load = std::get_if<LoadTrace>(&trace_)) {
    scale(*load, tokens, streams, out);
    step_ = (step_ + 1) % load->steps.size();
    return;
  }
  const auto& trace = std::get<TokenTrace>(trace_);
  const auto n = static_cast<std::size_t>(trace.experts);
  for (std::size_t layer = 0; layer < cursors_.size(); ++layer) {
    take(trace, static_cast<int>(layer), tokens, cursors_[layer], out.subspan(layer * n, n));
  }
}

// An expert gets floor(C_e) - floor(C_e-1), C the running sum of count x tokens x top_k / sum
// from a random start: in whole numbers, so exact in sum, and never above `tokens`.
void Replay::scale(const LoadTrace& trace, int tokens, std::span<Stream> streams,
                   std::span<int> out) const {
  const auto n = static_cast<std::size_t>(trace.experts);
  const std::int64_t wanted = static_cast<std::int64_t>(tokens) * top_k_;
  for (std::size_t layer = 0; layer < streams.size(); ++layer) {
    const auto from = std::span(trace.counts[step_]).subspan(layer * n, n);
    const auto to = out.subspan(layer * n, n);
    const auto sum = std::accumulate(from.begin(), from.end(), std::int64_t{0});
    auto running =
        static_cast<std::int64_t>(streams[layer].below(static_cast<std::uint64_t>(sum)));
    std::int64_t given = 0;
    for (std::size_t e = 0; e < n; ++e) {
      running += from[e] * wanted;
      to[e] = static_cast<int>(running / sum - given);
      given = running / sum;
    }
    MOESIM_LAW(given == wanted, "tokens replayed = tokens x top_k");
  }
}

void Replay::take(const TokenTrace& trace, int layer, int tokens, Cursor& cursor,
                  std::span<int> out) {
  const std::int64_t rounds = tokens / cursor.round;
  for (std::size_t e = 0; e < out.size(); ++e) {
    out[e] = static_cast<int>(rounds * cursor.counts[e]);
  }
  const auto& weight = trace.weight[static_cast<std::size_t>(layer)];
  for (std::int64_t left = tokens % cursor.round; left > 0;) {
    const auto here = static_cast<std::int64_t>(weight[cursor.row]) - cursor.used;
    const std::int64_t taken = std::min(left, here);
    for (const int e : trace.of(layer, cursor.row)) {
      out[static_cast<std::size_t>(e)] += static_cast<int>(taken);
    }
    left -= taken;
    cursor.used += taken;
    if (taken < here) break;
    cursor.used = 0;
    cursor.row = (cursor.row + 1) % weight.size();
  }
}

FittedRouter Replay::fit(const RouterFitOptions& options) const {
  if (const auto* load = std::get_if<LoadTrace>(&trace_)) return fit_router(*load, top_k_);
  return fit_router(std::get<TokenTrace>(trace_), options);
}

Replay read_replay(const std::filesystem::path& path, const TraceShape& shape) {
  if (holds_tokens(path.string())) return Replay(read_token_trace(path, shape));
  return {read_load_trace(path, shape), shape.top_k};
}

}  // namespace moesim
