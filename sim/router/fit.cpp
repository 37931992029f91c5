#include "sim/router/fit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/base/rng.hpp"
#include "sim/router/inclusion.hpp"

namespace moesim {

namespace {

// A class with no tokens of its own behaves as the average: so many average tokens are added.
constexpr double kPriorTokens = 4;
constexpr double kLeast = 1e-7;

// The mixture in the form the E-step wants.
struct Scores {
  std::vector<double> none;  // layers x classes: log share / layers + sum_e log(1 - pi)
  std::vector<double> odds;  // layers x classes x experts: log(pi / (1 - pi))
};

Scores scores_of(const FittedRouter& fit) {
  const auto z = fit.class_share.size();
  const auto n = static_cast<std::size_t>(fit.experts);
  Scores s;
  s.odds.resize(fit.pi.size());
  for (std::size_t row = 0; row * n < fit.pi.size(); ++row) {
    double none = std::log(fit.class_share[row % z]) / fit.layers;
    for (std::size_t e = 0; e < n; ++e) {
      const double p = std::clamp(fit.pi[row * n + e], kLeast, 1 - kLeast);
      none += std::log1p(-p);
      s.odds[row * n + e] = std::log(p) - std::log1p(-p);
    }
    s.none.push_back(none);
  }
  return s;
}

// log p(token, class) per class into `out`; returns log p(token).
double token_scores(const Scores& s, const TokenTrace& trace, std::size_t row,
                    std::vector<double>& out) {
  const std::size_t classes = out.size();
  const auto n = static_cast<std::size_t>(trace.experts);
  std::fill(out.begin(), out.end(), 0.0);
  for (int layer = 0; layer < trace.layers; ++layer) {
    const auto chosen = trace.of(layer, row);
    for (std::size_t c = 0; c < classes; ++c) {
      const std::size_t at = static_cast<std::size_t>(layer) * classes + c;
      double sum = s.none[at];
      for (const int e : chosen) sum += s.odds[at * n + static_cast<std::size_t>(e)];
      out[c] += sum;
    }
  }
  const double most = *std::max_element(out.begin(), out.end());
  double total = 0;
  for (const double x : out) total += std::exp(x - most);
  return most + std::log(total);
}

// One round of EM. `average` is the inclusion over all tokens, layers x experts.
void improve(FittedRouter& fit, const TokenTrace& trace, std::span<const double> average) {
  const Scores scores = scores_of(fit);
  const auto n = static_cast<std::size_t>(fit.experts);
  const std::size_t classes = fit.class_share.size();
  std::vector<double> share(classes);
  std::vector<double> sums(fit.pi.size());
  std::vector<double> posterior(classes);
  for (std::size_t row = 0; row < trace.rows(0); ++row) {
    const double all = token_scores(scores, trace, row, posterior);
    const double weight = trace.weight[0][row];
    for (std::size_t c = 0; c < classes; ++c) {
      const double r = weight * std::exp(posterior[c] - all);
      if (r < 1e-9) continue;
      share[c] += r;
      for (int layer = 0; layer < fit.layers; ++layer) {
        double* into = sums.data() + (static_cast<std::size_t>(layer) * classes + c) * n;
        for (const int e : trace.of(layer, row)) into[static_cast<std::size_t>(e)] += r;
      }
    }
  }
  double tokens = 0;
  for (const double s : share) tokens += s;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const std::size_t c = i / n % classes;
    const std::size_t cell = i / n / classes * n + i % n;
    fit.pi[i] = (sums[i] + kPriorTokens * average[cell]) / (share[c] + kPriorTokens);
  }
  for (std::size_t c = 0; c < classes; ++c) {
    fit.class_share[c] = (share[c] + 1e-3) / (tokens + 1e-3 * static_cast<double>(classes));
  }
}

std::size_t in_common(const TokenTrace& trace, std::size_t a, std::size_t b) {
  std::size_t common = 0;
  for (int layer = 0; layer < trace.layers; ++layer) {
    const auto x = trace.of(layer, a);
    const auto y = trace.of(layer, b);
    for (const int e : x) common += std::count(y.begin(), y.end(), e) > 0 ? 1 : 0;
  }
  return common;
}

// Tokens that have little in common with each other, to begin the classes with: of some random
// candidates the one whose nearest neighbour among those taken is farthest.
std::vector<std::size_t> seeds(const TokenTrace& trace, std::size_t classes, Stream& stream) {
  std::vector<std::size_t> taken;
  while (taken.size() < classes) {
    std::size_t best = 0;
    std::size_t best_common = std::numeric_limits<std::size_t>::max();
    for (int i = 0; i < 12; ++i) {
      const std::size_t row = stream.below(trace.rows(0));
      std::size_t common = 0;
      for (const std::size_t t : taken) common = std::max(common, in_common(trace, row, t));
      if (common < best_common) {
        best_common = common;
        best = row;
      }
    }
    taken.push_back(best);
  }
  return taken;
}

// Each class begins with the tokens that have the most in common with its seed.
FittedRouter first_guess(const TokenTrace& trace, std::span<const double> average, int classes,
                         Stream& stream) {
  const auto z = static_cast<std::size_t>(classes);
  const auto n = static_cast<std::size_t>(trace.experts);
  FittedRouter fit{.layers = trace.layers, .experts = trace.experts, .top_k = trace.top_k};
  fit.class_share.assign(z, 1.0 / classes);
  fit.pi.resize(average.size() * z);
  std::vector<double> size(z, kPriorTokens);
  for (std::size_t i = 0; i < fit.pi.size(); ++i) {
    fit.pi[i] = kPriorTokens * average[i / n / z * n + i % n];
  }
  const auto first = seeds(trace, z, stream);
  const std::size_t stride = std::max<std::size_t>(1, trace.rows(0) / 4000);
  for (std::size_t row = 0; row < trace.rows(0); row += stride) {
    std::size_t nearest = 0;
    std::size_t most = 0;
    for (std::size_t c = 0; c < z; ++c) {
      const std::size_t common = in_common(trace, row, first[c]);
      if (common > most) {
        most = common;
        nearest = c;
      }
    }
    size[nearest] += 1;
    for (int layer = 0; layer < trace.layers; ++layer) {
      for (const int e : trace.of(layer, row)) {
        fit.pi[(static_cast<std::size_t>(layer) * z + nearest) * n +
               static_cast<std::size_t>(e)] += 1;
      }
    }
  }
  for (std::size_t i = 0; i < fit.pi.size(); ++i) fit.pi[i] /= size[i / n % z];
  return fit;
}

FittedRouter fit_classes(const TokenTrace& trace, int classes, const FitOptions& options) {
  const std::vector<double> average = inclusion_of(trace);
  if (classes == 1 || !trace.joined) {
    return {.layers = trace.layers,
            .experts = trace.experts,
            .top_k = trace.top_k,
            .class_share = {1},
            .pi = average};
  }
  Stream stream(options.seed, "router.fit", static_cast<std::uint64_t>(classes));
  FittedRouter fit = first_guess(trace, average, classes, stream);
  double last = -std::numeric_limits<double>::infinity();
  for (int i = 0; i < options.iterations; ++i) {
    improve(fit, trace, average);
    if (i % 10 != 9) continue;
    const double now = log_likelihood(fit, trace);
    if (now - last < 1e-5) break;
    last = now;
  }
  return fit;
}

}  // namespace

double log_likelihood(const FittedRouter& fit, const TokenTrace& trace) {
  MOESIM_LAW(trace.joined || fit.classes() == 1, "classes are judged on joined tokens");
  if (!trace.joined) return std::numeric_limits<double>::quiet_NaN();
  const Scores scores = scores_of(fit);
  std::vector<double> posterior(fit.class_share.size());
  double sum = 0;
  double tokens = 0;
  for (std::size_t row = 0; row < trace.rows(0); ++row) {
    sum += trace.weight[0][row] * token_scores(scores, trace, row, posterior);
    tokens += trace.weight[0][row];
  }
  return sum / (tokens * fit.layers);
}

FittedRouter fit_tokens(const TokenTrace& trace, const FitOptions& options) {
  if (options.classes > 0 || !trace.joined || trace.rows(0) < 10) {
    return fit_classes(trace, std::max(1, options.classes), options);
  }
  const TokenTrace train = part_of(trace, 0, 5, Pick::except);
  const TokenTrace held_out = part_of(trace, 0, 5, Pick::only);
  int best = 1;
  double best_likelihood = log_likelihood(fit_classes(train, 1, options), held_out);
  for (int classes = 2; classes <= 64; classes *= 2) {
    const double now = log_likelihood(fit_classes(train, classes, options), held_out);
    if (now <= best_likelihood) break;
    best = classes;
    best_likelihood = now;
  }
  return fit_classes(trace, best, options);
}

FittedRouter fit_loads(const LoadTrace& trace, int top_k) {
  const auto n = static_cast<std::size_t>(trace.experts);
  FittedRouter fit{
      .layers = trace.layers, .experts = trace.experts, .top_k = top_k, .class_share = {1}};
  fit.pi.assign(static_cast<std::size_t>(trace.layers) * n, 0.0);
  std::vector<double> tokens;
  double all = 0;
  for (const auto& counts : trace.counts) {
    double first_layer = 0;
    for (std::size_t e = 0; e < n; ++e) first_layer += counts[e];
    tokens.push_back(first_layer / top_k);
    all += tokens.back();
    for (std::size_t i = 0; i < counts.size(); ++i) fit.pi[i] += counts[i];
  }
  for (double& p : fit.pi) p /= all;
  if (std::any_of(fit.pi.begin(), fit.pi.end(), [](double p) { return p > 1; })) {
    throw InputError("an expert has more tokens than there are", "top_k as in the trace",
                     "the trace was recorded with another top_k");
  }
  double beyond = 0;
  double moved = 0;
  for (std::size_t s = 0; s < tokens.size(); ++s) {
    for (std::size_t i = 0; i < fit.pi.size(); ++i) {
      const double p = fit.pi[i];
      const double off = trace.counts[s][i] - tokens[s] * p;
      const double slope = tokens[s] * (1 - p) * rate_of(p);
      beyond += off * off - tokens[s] * p * (1 - p);
      moved += slope * slope;
    }
  }
  // One step is its own mean: its spread says nothing.
  const double steps = static_cast<double>(tokens.size());
  const double own = steps > 1 ? steps / (steps - 1) : 0;
  fit.step_jitter = moved > 0 ? std::sqrt(std::max(0.0, own * beyond / moved)) : 0;
  return fit;
}

}  // namespace moesim
