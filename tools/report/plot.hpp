// One chart of the report as a picture for a paper or a chat, drawn by the page's own chart
// definitions: Node runs them (ECharts renders SVG without a browser), rsvg-convert makes PNG.
//
// Both are looked up when asked for: `node` or $MOESIM_NODE, which the build needed anyway, and
// Debian's librsvg2-bin.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/report/html.hpp"

namespace moesim {

struct PlotOptions {
  int width = 960;  // pixels of a chart that fills the page
  bool dark = false;
};

// The charts the result has data for, in the page's order.
std::vector<std::string> plot_names(const ReportText& text);

// `name` is a chart, or a chart and one of its views: "blame_e2el", "cdf_ttft:tail",
// "placement:31". Throws InputError that lists the charts the result has data for, WorldError
// when node is missing or fails.
std::string plot_svg(const ReportText& text, std::string_view name, const PlotOptions& options);

// All of them, in one go.
struct Plot {
  std::string name;
  std::string svg;
};
std::vector<Plot> plot_all(const ReportText& text, const PlotOptions& options);

// Twice as many pixels as the SVG has. Throws WorldError when rsvg-convert is missing or fails.
std::string plot_png(const std::string& svg);

}  // namespace moesim
