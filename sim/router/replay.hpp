// A recorded trace played back step by step, instead of drawing counts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <variant>
#include <vector>

#include "sim/base/rng.hpp"
#include "sim/router/fit.hpp"
#include "sim/router/load_trace.hpp"
#include "sim/router/token_trace.hpp"

namespace moesim {

class Replay {
 public:
  // `top_k` of the model. Throws InputError where an expert took more than every token.
  Replay(LoadTrace trace, int top_k);
  // Throws InputError where a layer's rows stand for no token.
  explicit Replay(TokenTrace trace);

  // The next step: layers x experts counts, each layer summing to tokens x top_k. After the
  // trace's end it begins again.
  //   load trace: the next recorded step, scaled to `tokens` (rounded by systematic sampling
  //     with an offset from the layer's stream; exact where the tokens are the recorded ones).
  //   token trace: the experts of the next `tokens` rows, each as often as its count says.
  void counts(int tokens, std::span<Stream> streams, std::span<int> out);

  // The router as which the trace looks on average.
  [[nodiscard]] FittedRouter fit(const RouterFitOptions& options) const;

  // Null for a load trace, which knows no tokens.
  [[nodiscard]] const TokenTrace* tokens() const { return std::get_if<TokenTrace>(&trace_); }

 private:
  // Where the next token of a layer is, and what a whole round through its rows gives.
  struct Cursor {
    std::size_t row = 0;
    std::int64_t used = 0;  // tokens of that row
    std::int64_t round = 0;
    std::vector<std::int64_t> counts;  // [experts] of a round
  };

  void scale(const LoadTrace& trace, int tokens, std::span<Stream> streams,
             std::span<int> out) const;
  static void take(const TokenTrace& trace, int layer, int tokens, Cursor& cursor,
                   std::span<int> out);

  std::variant<LoadTrace, TokenTrace> trace_;
  int top_k_;
  std::size_t step_ = 0;
  std::vector<Cursor> cursors_;  // [layers] of a token trace
};

// Reads the kind of trace that the name says. Throws as read_load_trace(), read_token_trace().
Replay read_replay(const std::filesystem::path& path, const TraceShape& shape);

}  // namespace moesim
