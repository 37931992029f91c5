// moesim import trace: what a trace of a real router holds, and a router fitted to it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>

#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"
#include "sim/base/units_text.hpp"
#include "sim/model/shape.hpp"
#include "sim/router/fit.hpp"
#include "sim/router/fit_report.hpp"
#include "sim/router/load_metrics.hpp"
#include "sim/router/trace_file.hpp"
#include "sim/scenario/scenario.hpp"
#include "tools/cli/command.hpp"
#include "tools/cli/terminal.hpp"

namespace moesim {

namespace {

namespace fs = std::filesystem;

// Every fifth token, or the last fifth of the steps, is kept back to judge the fit.
constexpr std::size_t kParts = 5;

struct TraceArguments {
  fs::path trace;
  std::string model;
  TraceShape shape;
  RouterFitOptions options;
  bool fit = false;
  fs::path output;
};

TraceShape expected_shape(const TraceArguments& arguments) {
  TraceShape shape = arguments.shape;
  if (arguments.model.empty()) return shape;
  const ModelShape model = read_model(arguments.model);
  if (model.experts == 0) {
    throw InputError(fmt::format("model '{}' is dense", arguments.model),
                     "a model with experts");
  }
  return {moe_layer_count(model), model.experts, model.top_k};
}

std::string load_table(int layers, int experts, const std::vector<double>& pi) {
  std::string text = "layer  max/mean    cv  top 1/8  dead  hot\n";
  for (int layer = 0; layer < layers; ++layer) {
    const auto row = std::span<const double>(pi).subspan(
        static_cast<std::size_t>(layer) * static_cast<std::size_t>(experts),
        static_cast<std::size_t>(experts));
    const LoadMetrics m = measure_load(row);
    text += fmt::format("{:5}  {:8.2f}  {:4.2f}  {:7.3f}  {:4}  {:3}\n", layer, m.max_over_mean,
                        m.cv, top_share(row, std::max(1, experts / 8)), m.dead, m.hot);
  }
  return text;
}

struct Fitted {
  FittedRouter router;
  std::string report;
};

Fitted fit_and_judge(const TokenTrace& trace, const RouterFitOptions& options) {
  RouterFitOptions same = options;
  const FittedRouter trained = fit_router(part_of(trace, 0, kParts, Pick::except), options);
  same.classes = trained.classes();
  return {fit_router(trace, same),
          to_text(judge(trained, part_of(trace, 0, kParts, Pick::only)))};
}

Fitted fit_and_judge(const LoadTrace& trace, int top_k) {
  if (top_k < 1)
    throw InputError("a load does not say how many experts a token takes",
                     "--top-k or --model");
  LoadTrace early = trace;
  LoadTrace late = trace;
  const std::size_t cut = trace.steps.size() - trace.steps.size() / kParts;
  if (cut == trace.steps.size())
    return {fit_router(trace, top_k), "too few steps to keep some back\n"};
  const auto middle = static_cast<std::ptrdiff_t>(cut);
  early.steps.resize(cut);
  early.counts.resize(cut);
  late.steps.erase(late.steps.begin(), late.steps.begin() + middle);
  late.counts.erase(late.counts.begin(), late.counts.begin() + middle);
  return {fit_router(trace, top_k), to_text(judge(fit_router(early, top_k), late))};
}

// The [router] section for a scenario, and the numbers beside it.
void write_fitted(const fs::path& output, const fs::path& trace, const Fitted& fitted) {
  const fs::path numbers = fs::path(output).replace_extension(".csv");
  if (output.has_parent_path()) fs::create_directories(output.parent_path());
  write_router(numbers, fitted.router);
  std::string text = fmt::format("# Fitted to {}, {} latent token classes.\n",
                                 trace.filename().string(), fitted.router.classes());
  for (std::size_t at = 0; at < fitted.report.size();) {
    const std::size_t end = fitted.report.find('\n', at);
    text += "#   " + fitted.report.substr(at, end - at) + "\n";
    at = end + 1;
  }
  text += "# Paste into a scenario that lies in the same folder.\n";
  text += fmt::format("[router]\nskew = \"{}\"\nstep_jitter = {}\n",
                      numbers.filename().string(), number_text(fitted.router.step_jitter));
  write_file(output, text);
  say(fmt::format("wrote {} and {}", output.string(), numbers.string()));
}

int import_trace(const TraceArguments& arguments) {
  const TraceShape shape = expected_shape(arguments);
  const bool tokens = holds_tokens(arguments.trace.string());
  Fitted fitted;
  if (tokens) {
    const TokenTrace trace = read_token_trace(arguments.trace, shape);
    print(fmt::format("{} layers, {} experts, top {}, {} rows per layer{}\n", trace.layers,
                      trace.experts, trace.top_k, trace.rows(0),
                      trace.joined ? ", joined over the layers" : ""));
    print(load_table(trace.layers, trace.experts, inclusion_of(trace)));
    if (arguments.fit) fitted = fit_and_judge(trace, arguments.options);
  } else {
    const LoadTrace trace = read_load_trace(arguments.trace, shape);
    std::vector<double> sum(trace.counts.front().size());
    for (const auto& counts : trace.counts) {
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += counts[i];
    }
    print(fmt::format("{} layers, {} experts, {} steps\n", trace.layers, trace.experts,
                      trace.steps.size()));
    print(load_table(trace.layers, trace.experts, sum));
    if (arguments.fit) fitted = fit_and_judge(trace, shape.top_k);
  }
  if (!arguments.fit) return kDone;
  print(fmt::format("{} latent token classes\n{}", fitted.router.classes(), fitted.report));
  if (!arguments.output.empty()) write_fitted(arguments.output, arguments.trace, fitted);
  return kDone;
}

}  // namespace

Action declare_import(CLI::App& app) {
  const auto arguments = std::make_shared<TraceArguments>();
  CLI::App* trace = app.add_subcommand("trace", "Expert loads (.csv) or tokens (.jsonl)");
  trace->add_option("FILE", arguments->trace, "load.csv or tokens.jsonl")->required();
  trace->add_option("--model", arguments->model, "The model it was recorded on");
  trace->add_option("--layers", arguments->shape.layers, "Instead: its MoE layers");
  trace->add_option("--experts", arguments->shape.experts, "Its experts per layer");
  trace->add_option("--top-k", arguments->shape.top_k, "Experts per token");
  trace->add_flag("--fit", arguments->fit, "Fit a router and judge it on what was kept back");
  trace->add_option("--classes", arguments->options.classes,
                    "Latent token classes; 0: by likelihood");
  trace->add_option("-o,--output", arguments->output, "The fitted router, a [router] section");
  app.require_subcommand(1);
  return [arguments] { return import_trace(*arguments); };
}

}  // namespace moesim
