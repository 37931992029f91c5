// The file of a fitted router.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "sim/base/files.hpp"
#include "sim/base/units_text.hpp"
#include "sim/router/fit.hpp"
#include "sim/router/trace_file.hpp"
#include "sim/router/trace_lines.hpp"

namespace moesim {

namespace {

constexpr std::string_view kHeader = "moesim-router,1,";

// layers,experts,top_k,classes,step_jitter; then one line of shares; then one line of
// inclusions per (layer, class).
std::vector<double> numbers(TraceLines& lines, std::string_view text, std::size_t expected) {
  std::vector<double> values;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    double value = 0;
    const auto [stop, problem] = std::from_chars(text.data(), text.data() + comma, value);
    if (problem != std::errc{} || stop != text.data() + comma || !std::isfinite(value) ||
        value < 0) {
      lines.fault(lines.number(), fmt::format("'{}'", text.substr(0, comma)),
                  "a number, 0 or more");
    }
    values.push_back(value);
    text.remove_prefix(std::min(text.size(), comma + 1));
  }
  if (values.size() != expected) {
    lines.fault(lines.number(), fmt::format("{} numbers", values.size()),
                fmt::format("{}", expected));
  }
  values.resize(expected);
  return values;
}

double sum(std::span<const double> values) {
  double total = 0;
  for (const double v : values) total += v;
  return total;
}

}  // namespace

void write_router(const std::filesystem::path& path, const FittedRouter& fit) {
  std::string text = fmt::format(
      "# A router fitted to a trace: shape and jitter, the classes' shares, then the\n"
      "# chance that a token takes each expert, one line per (layer, class).\n"
      "{}{},{},{},{},{}\n",
      kHeader, fit.layers, fit.experts, fit.top_k, fit.classes(), number_text(fit.step_jitter));
  const auto line = [&text](std::span<const double> values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      fmt::format_to(std::back_inserter(text), "{}{:.6g}", i == 0 ? "" : ",", values[i]);
    }
    text += '\n';
  };
  line(fit.class_share);
  for (int layer = 0; layer < fit.layers; ++layer) {
    for (int c = 0; c < fit.classes(); ++c) line(fit.pi_of(layer, c));
  }
  write_file(path, text);
}

FittedRouter read_router(const std::filesystem::path& path) {
  TraceLines lines(path);
  FittedRouter fit;
  if (!lines.next() || !lines.text().starts_with(kHeader)) {
    lines.fault(lines.number(), "not a fitted router", std::string(kHeader) + "...");
    lines.finish();
  }
  const auto head = numbers(lines, lines.text().substr(kHeader.size()), 5);
  lines.finish();
  for (int i = 0; i < 4; ++i) {
    if (head[static_cast<std::size_t>(i)] < 1 || head[static_cast<std::size_t>(i)] > 1e5) {
      lines.fault(lines.number(), "an impossible shape", "layers, experts, top_k, classes");
    }
  }
  lines.finish();
  fit.layers = static_cast<int>(head[0]);
  fit.experts = static_cast<int>(head[1]);
  fit.top_k = static_cast<int>(head[2]);
  fit.step_jitter = head[4];
  const auto classes = static_cast<std::size_t>(head[3]);
  if (!lines.next()) lines.fault(lines.number(), "no class shares", "one line of them");
  fit.class_share = numbers(lines, lines.text(), classes);
  if (std::abs(sum(fit.class_share) - 1) > 1e-3) {
    lines.fault(lines.number(), "the classes' shares do not sum to 1");
  }
  const std::size_t rows = static_cast<std::size_t>(fit.layers) * classes;
  for (std::size_t row = 0; row < rows; ++row) {
    if (!lines.next()) {
      lines.fault(lines.number(), fmt::format("{} lines of inclusions", row),
                  fmt::format("{}", rows));
      break;
    }
    const auto pi = numbers(lines, lines.text(), static_cast<std::size_t>(fit.experts));
    if (std::abs(sum(pi) - fit.top_k) > 1e-2 * fit.top_k) {
      lines.fault(lines.number(), fmt::format("inclusions sum to {:.4g}", sum(pi)),
                  fmt::format("top_k = {}", fit.top_k));
    }
    fit.pi.insert(fit.pi.end(), pi.begin(), pi.end());
  }
  if (lines.next()) lines.fault(lines.number(), "more lines than the shape says");
  lines.finish();
  return fit;
}

FittedRouter router_from_file(const std::filesystem::path& path, const TraceShape& shape,
                              const RouterFitOptions& options) {
  if (holds_tokens(path.string())) return fit_router(read_token_trace(path, shape), options);
  TraceLines lines(path);
  const bool fitted = lines.next() && lines.text().starts_with(kHeader);
  if (!fitted) return fit_router(read_load_trace(path, shape), shape.top_k);
  FittedRouter fit = read_router(path);
  if (fit.layers != shape.layers || fit.experts != shape.experts || fit.top_k != shape.top_k) {
    throw InputError(fmt::format("{} is a router of {} layers, {} experts, top {}",
                                 path.string(), fit.layers, fit.experts, fit.top_k),
                     fmt::format("the model's {} MoE layers, {} experts, top {}", shape.layers,
                                 shape.experts, shape.top_k));
  }
  return fit;
}

}  // namespace moesim
