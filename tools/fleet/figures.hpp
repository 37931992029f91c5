// The figures that runs are compared by, declared once: name, unit, and which way is better.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/report/result.hpp"

namespace moesim {

enum class Better { lower, higher };

struct Figure {
  std::string_view tag;           // in JSON, CSV and the store: "ttft_p99"
  std::string_view header;        // in tables
  std::string_view unit;          // stored in
  std::string_view display_unit;  // shown in
  double display_factor;          // shown = stored x factor
  Better better;
  double (*of)(const Result&);  // NaN where the run has no such value
};

std::span<const Figure> figure_catalog();

// In the catalog's order.
std::vector<double> figures_of(const Result& result);

// The place in the catalog; throws BrokenLaw for an unknown tag.
std::size_t figure_index(std::string_view tag);

// With the display unit's scale, four significant digits; "-" for NaN.
std::string figure_text(const Figure& figure, double value);

}  // namespace moesim
