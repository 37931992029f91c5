// How long prompts and answers are. Every distribution is a quantile function of a normal
// score, so that prompt and answer can be correlated (Gaussian copula) whatever they are.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/workload/options.hpp"

namespace moesim {

enum class LengthColumn { input, output };

class LengthSampler {
 public:
  // Reads the file of an empirical or trace distribution; `trace_file` where it names none.
  LengthSampler(const LengthOptions& options, LengthColumn column,
                const std::string& trace_file);

  // Tokens, within [min, max], of a normal(0, 1) score; `draw` counts from 0 and picks the row
  // of a trace (which repeats from its beginning).
  [[nodiscard]] int at(double score, std::int64_t draw) const;

 private:
  LengthOptions options_;
  std::vector<double> values_;      // empirical: lengths; trace: rows
  std::vector<double> cumulative_;  // empirical: share of lengths up to values_[i]
};

}  // namespace moesim
