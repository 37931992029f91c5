// A router fitted to a trace: marginals in closed form, latent token classes by EM.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "sim/router/load_trace.hpp"
#include "sim/router/token_trace.hpp"

namespace moesim {

struct FittedRouter {
  int layers = 0;
  int experts = 0;
  int top_k = 0;
  double step_jitter = 0;           // std of log rate from step to step; 0: not known
  std::vector<double> class_share;  // of the tokens, per class; sums to 1
  std::vector<double> pi;           // layers x classes x experts; sums to top_k per class

  [[nodiscard]] int classes() const { return static_cast<int>(class_share.size()); }
  [[nodiscard]] std::span<const double> pi_of(int layer, int token_class) const {
    const auto n = static_cast<std::size_t>(experts);
    const auto row = static_cast<std::size_t>(layer) * class_share.size();
    return std::span(pi).subspan((row + static_cast<std::size_t>(token_class)) * n, n);
  }
  friend bool operator==(const FittedRouter&, const FittedRouter&) = default;
};

// One class; inclusion is the share of the tokens, the jitter what varies from step to step
// beyond a binomial: sigma^2 = sum (Var N - T pi (1 - pi)) / sum (T d pi / d log rate)^2.
FittedRouter fit_loads(const LoadTrace& trace, int top_k);

struct FitOptions {
  int classes = 0;  // 0: as many as pay on held-out tokens, at most 64
  int iterations = 60;
  std::uint64_t seed = 1;
};

// A mixture over classes, the same class of a token in all layers; within a class experts are
// chosen independently with pi (a Bernoulli mixture; Dempster, Laird and Rubin 1977). Rows that
// are not joined over the layers tell nothing about classes: one class.
FittedRouter fit_tokens(const TokenTrace& trace, const FitOptions& options = {});

// From a file that write_fit() wrote, or fitted to a load.csv (.csv) or tokens.jsonl (.jsonl).
// Throws InputError where it does not fit the model's shape.
FittedRouter router_from_file(const std::filesystem::path& path, const TraceShape& shape,
                              const FitOptions& options = {});

// Log-likelihood per token and layer, in nats, of a joined trace.
double log_likelihood(const FittedRouter& fit, const TokenTrace& trace);

// A CSV with the shape in `#` lines. Reading throws InputError with line and reason.
void write_fit(const std::filesystem::path& path, const FittedRouter& fit);
FittedRouter read_fit(const std::filesystem::path& path);

}  // namespace moesim
