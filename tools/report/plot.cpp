#include "tools/report/plot.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/base/spelling.hpp"
#include "tools/report/assets.hpp"
#include "tools/report/child.hpp"

namespace moesim {

namespace {

using Json = nlohmann::ordered_json;

// How plot.js ends.
constexpr int kUnknownChart = 2;
constexpr int kNoData = 3;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

ChildResult run_node(const std::string& script) {
  const char* own = std::getenv("MOESIM_NODE");
  const std::string node = own != nullptr && *own != '\0' ? own : "node";
  try {
    // "-": the program is read from standard input.
    return run_child({node, "-"}, script);
  } catch (const WorldError& e) {
    throw WorldError(
        fmt::format("{}. Plots are drawn by Node 18 or newer (Debian: apt-get "
                    "install nodejs), or name it in MOESIM_NODE",
                    e.what()));
  }
}

// Calls moesimPlot.draw of plot.js with the run and `call`.
ChildResult draw(const ReportText& text, const Json& call) {
  if (plot_script().empty()) {
    throw WorldError("this moesim was built without node and npm, so it cannot plot");
  }
  const std::string script = fmt::format(
      "{}\nmoesimPlot.draw({{...{}, report: {{result: {}, series: {}, scenario: ''}}}});\n",
      plot_script(), call.dump(-1, ' ', true, Json::error_handler_t::replace), text.result_json,
      text.series_json);
  return run_node(script);
}

}  // namespace

std::vector<std::string> plot_names(const ReportText& text) {
  const ChildResult child = draw(text, {{"name", "list"}});
  if (child.status != 0) {
    throw WorldError(fmt::format("node failed (status {}): {}", child.status, child.err));
  }
  return lines_of(child.out);
}

std::string plot_svg(const ReportText& text, std::string_view name,
                     const PlotOptions& options) {
  const ChildResult child = draw(
      text, {{"name", std::string(name)}, {"width", options.width}, {"dark", options.dark}});
  if (child.status == kUnknownChart || child.status == kNoData) {
    const auto known = lines_of(child.err);
    const std::string id(name.substr(0, name.find(':')));
    throw InputError(child.status == kNoData
                         ? fmt::format("the run recorded nothing for the chart '{}'", id)
                         : fmt::format("unknown chart '{}'", id),
                     fmt::format("one of {}", fmt::join(known, ", ")),
                     child.status == kNoData ? std::string() : did_you_mean(id, known));
  }
  if (child.status != 0 || child.out.empty()) {
    throw WorldError(fmt::format("node could not draw '{}' (status {}): {}", name, child.status,
                                 child.err.substr(0, 2000)));
  }
  return child.out;
}

std::vector<Plot> plot_all(const ReportText& text, const PlotOptions& options) {
  const ChildResult child =
      draw(text, {{"name", "all"}, {"width", options.width}, {"dark", options.dark}});
  if (child.status != 0) {
    throw WorldError(fmt::format("node failed (status {}): {}", child.status, child.err));
  }
  std::vector<Plot> plots;
  for (const Json& pair : Json::parse(child.out)) {
    plots.push_back({pair.at(0).get<std::string>(), pair.at(1).get<std::string>()});
  }
  return plots;
}

std::string plot_png(const std::string& svg) {
  ChildResult child;
  try {
    child = run_child({"rsvg-convert", "--zoom", "2", "--format", "png"}, svg);
  } catch (const WorldError& e) {
    throw WorldError(fmt::format(
        "{}. PNG needs it (Debian: apt-get install librsvg2-bin); --format svg does not",
        e.what()));
  }
  if (child.status != 0) {
    throw WorldError(
        fmt::format("rsvg-convert failed (status {}): {}", child.status, child.err));
  }
  return std::move(child.out);
}

}  // namespace moesim
