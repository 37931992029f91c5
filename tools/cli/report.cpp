// moesim report DIR, moesim report STORE...
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"
#include "tools/cli/command.hpp"
#include "tools/cli/terminal.hpp"
#include "tools/fleet/store_report.hpp"
#include "tools/report/html.hpp"
#include "tools/report/plot.hpp"

namespace moesim {

namespace {

namespace fs = std::filesystem;

struct ReportArguments {
  std::vector<std::string> inputs;  // the folder of a run, or the stores of a sweep
  std::string folder;
  std::string plot;
  std::string format = "svg";
  std::string out;
  PlotOptions options;
};

// "cdf_ttft:tail" -> "cdf_ttft-tail.svg"
std::string file_name(std::string plot, const std::string& format) {
  for (char& c : plot) {
    if (c == ':' || c == '/') c = '-';
  }
  return plot + "." + format;
}

std::string as_format(const std::string& svg, const ReportArguments& arguments) {
  return arguments.format == "png" ? plot_png(svg) : svg;
}

std::string picture(const ReportText& text, const ReportArguments& arguments) {
  return as_format(plot_svg(text, arguments.plot, arguments.options), arguments);
}

// The path goes to stdout: what was made is the data of this command.
void write(const fs::path& path, std::string_view content) {
  write_file(path, content);
  print(path.string() + "\n");
}

void plot(const ReportText& text, const ReportArguments& arguments) {
  const fs::path folder = arguments.folder;
  if (arguments.plot == "list") {
    for (const std::string& name : plot_names(text)) print(name + "\n");
  } else if (arguments.plot == "all") {
    const fs::path plots = arguments.out.empty() ? folder / "plots" : fs::path(arguments.out);
    fs::create_directories(plots);
    for (const Plot& plot : plot_all(text, arguments.options)) {
      write(plots / file_name(plot.name, arguments.format), as_format(plot.svg, arguments));
    }
  } else if (arguments.out == "-") {
    print(picture(text, arguments));
  } else {
    const fs::path path = arguments.out.empty()
                              ? folder / file_name(arguments.plot, arguments.format)
                              : fs::path(arguments.out);
    write(path, picture(text, arguments));
  }
}

// The table on stdout, the page beside the first store.
int report_sweep(const ReportArguments& arguments) {
  const fs::path first = arguments.inputs.front();
  if (!fs::exists(first)) {
    throw InputError(first.string() + " does not exist",
                     "the folder of a run, or a store that `moesim sweep` wrote");
  }
  if (!arguments.plot.empty()) {
    throw InputError("--plot draws charts of a run, not of a sweep", "the folder of a run");
  }
  const StoreContent store = read_stores({arguments.inputs.begin(), arguments.inputs.end()});
  if (arguments.out == "-") {
    print(store_html(store));
    return kDone;
  }
  print(store_table(store));
  const fs::path page = arguments.out.empty() ? fs::path(first).replace_extension(".html")
                                              : fs::path(arguments.out);
  write_file(page, store_html(store));
  say("Charts are in " + page.string() + "\n");
  return kDone;
}

}  // namespace

Action declare_report(CLI::App& app) {
  auto arguments = std::make_shared<ReportArguments>();
  app.add_option("DIR", arguments->inputs,
                 "the folder of a run, or the store of a sweep (several: its shards)")
      ->required();
  app.add_option("--plot", arguments->plot,
                 "one chart as a picture; `list` names them, `all` draws all; NAME:VIEW "
                 "chooses a view, as cdf_ttft:tail or placement:31");
  app.add_option("--format", arguments->format, "of pictures: svg or png")
      ->check(CLI::IsMember({"svg", "png"}))
      ->capture_default_str();
  app.add_option("-o", arguments->out,
                 "file to write (- for stdout), or folder for `--plot all`; in DIR by default");
  app.add_option("--width", arguments->options.width, "of pictures, in pixels")
      ->check(CLI::Range(200, 4000))
      ->capture_default_str();
  app.add_flag("--dark", arguments->options.dark, "pictures for a dark page");
  return [arguments] {
    if (!fs::is_directory(arguments->inputs.front())) return report_sweep(*arguments);
    if (arguments->inputs.size() > 1) {
      throw InputError("a report is of one run", "one folder, or the stores of one sweep");
    }
    arguments->folder = arguments->inputs.front();
    const ReportText text = read_report(arguments->folder);
    if (!arguments->plot.empty()) {
      plot(text, *arguments);
    } else if (arguments->out == "-") {
      print(report_html(text));
    } else {
      const fs::path page = fs::path(arguments->folder) / "report.html";
      write(arguments->out.empty() ? page : fs::path(arguments->out), report_html(text));
    }
    return kDone;
  };
}

}  // namespace moesim
