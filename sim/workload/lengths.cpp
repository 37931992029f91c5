#include "sim/workload/lengths.hpp"

#include <algorithm>
#include <cmath>

#include "sim/workload/trace.hpp"

namespace moesim {

namespace {

double normal_cdf(double score) { return 0.5 * std::erfc(-score / std::sqrt(2.0)); }

}  // namespace

LengthSampler::LengthSampler(const LengthOptions& options, LengthColumn column,
                             const std::string& trace_file)
    : options_(options) {
  const std::string& file = options.file.empty() ? trace_file : options.file;
  if (options.distribution == LengthDistribution::trace) {
    for (const TraceRow& row : read_trace(file).rows) {
      values_.push_back(column == LengthColumn::input ? row.input_tokens : row.output_tokens);
    }
  }
  if (options.distribution == LengthDistribution::empirical) {
    double sum = 0;
    for (const WeightedLength& l : read_lengths(file)) {
      values_.push_back(l.tokens);
      cumulative_.push_back(sum += l.weight);
    }
    for (double& c : cumulative_) c /= sum;
  }
}

int LengthSampler::at(double score, std::int64_t draw) const {
  double tokens = options_.mean.value;
  switch (options_.distribution) {
    case LengthDistribution::fixed:
      break;
    case LengthDistribution::uniform:
      tokens *= 1 + options_.spread * (2 * normal_cdf(score) - 1);
      break;
    case LengthDistribution::lognormal: {
      const double variance = std::log1p(options_.cv * options_.cv);
      tokens *= std::exp(std::sqrt(variance) * score - variance / 2);
      break;
    }
    case LengthDistribution::empirical: {
      const auto at =
          std::upper_bound(cumulative_.begin(), cumulative_.end(), normal_cdf(score));
      const auto i = static_cast<std::size_t>(at - cumulative_.begin());
      tokens = values_[std::min(i, values_.size() - 1)];
      break;
    }
    case LengthDistribution::trace:
      tokens = values_[static_cast<std::size_t>(draw) % values_.size()];
      break;
  }
  return static_cast<int>(
      std::lround(std::clamp(tokens, options_.min.value, options_.max.value)));
}

}  // namespace moesim
