#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/base/csv.hpp"
#include "tools/report/result_json.hpp"
#include "tools/report/table.hpp"

namespace moesim {

namespace {

constexpr std::array<Entry<RenderResult>, 5> kFormats{{
    {"table", "for people, on a terminal", render_table},
    {"json", "result.json", [](const Result& r, Color) { return to_json(r); }},
    {"csv", "the metrics, one per line", [](const Result& r, Color) { return render_csv(r); }},
    {"markdown", "the metrics as a table for a chat or an issue",
     [](const Result& r, Color) { return render_markdown(r); }},
    {"vllm", "as vllm bench serve prints it",
     [](const Result& r, Color) { return render_vllm(r); }},
}};

// A tenant or scenario name must not break the row it stands in.
std::string markdown_text(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '>' || c == '`' || c == '*' || c == '_' || c == '\\') {
      safe += '\\';
    }
    safe += c == '\n' || c == '\r' ? ' ' : c;
  }
  return safe;
}

std::string vllm_heading(std::string_view title, char fill) {
  return fmt::format(
      "{}\n", fill == '=' ? fmt::format("{:=^50}", title) : fmt::format("{:-^50}", title));
}

std::string vllm_line(std::string_view name, std::string_view value) {
  return fmt::format("{:<40} {:<10}\n", name, value);
}

}  // namespace

std::string render_csv(const Result& result) {
  std::string text = "metric,unit,count,mean,p50,p90,p99,max,small_sample\n";
  for (const MetricSummary& m : result.summary.metrics) {
    text += fmt::format("{},{},{},{},{},{},{},{},{}\n", csv_cell(metric(m.id).tag),
                        metric(m.id).unit, m.count, m.mean, m.p50, m.p90, m.p99, m.max,
                        m.small_sample ? 1 : 0);
  }
  return text;
}

std::string render_markdown(const Result& result) {
  std::string text = fmt::format("**{}**: {} on {}\n\n", markdown_text(result.scenario),
                                 markdown_text(result.model), markdown_text(result.cluster));
  text +=
      "| | mean | p50 | p90 | p99 | max | n |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: "
      "|\n";
  for (const MetricSummary& m : result.summary.metrics) {
    const Metric& about = metric(m.id);
    const double by = about.display_factor;
    text += fmt::format("| {} ({}) | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {} |\n",
                        about.header, about.display_unit, m.mean * by, m.p50 * by, m.p90 * by,
                        m.p99 * by, m.max * by, m.count);
  }
  const Throughput& t = result.summary.throughput;
  text +=
      fmt::format("\n{:.2f} requests/s, {:.0f} output tokens/s, goodput {:.2f} requests/s\n",
                  t.requests.value, t.output_tokens.value, t.goodput.value);
  return text;
}

std::string render_vllm(const Result& result) {
  const Throughput& t = result.summary.throughput;
  const double seconds = t.duration.value;
  const auto figure = [](double value) { return fmt::format("{:.2f}", value); };
  std::string text = vllm_heading(" Serving Benchmark Result ", '=');
  text +=
      vllm_line("Successful requests:", fmt::format("{}", result.summary.requests.finished));
  text += vllm_line("Failed requests:", fmt::format("{}", result.summary.requests.failed +
                                                              result.summary.requests.shed));
  text += vllm_line("Benchmark duration (s):", figure(seconds));
  text += vllm_line("Total input tokens:",
                    fmt::format("{:.0f}", (t.total_tokens - t.output_tokens).value * seconds));
  text += vllm_line("Total generated tokens:",
                    fmt::format("{:.0f}", t.output_tokens.value * seconds));
  text += vllm_line("Request throughput (req/s):", figure(t.requests.value));
  if (!result.summary.slo.empty()) {
    text += vllm_line("Request goodput (req/s):", figure(t.goodput.value));
  }
  text += vllm_line("Output token throughput (tok/s):", figure(t.output_tokens.value));
  text += vllm_line("Total token throughput (tok/s):", figure(t.total_tokens.value));
  for (const MetricSummary& m : result.summary.metrics) {
    const Metric& about = metric(m.id);
    if (about.vllm_header.empty()) continue;
    // vLLM calls end to end "E2EL" in its lines.
    const std::string_view name = m.id == MetricId::e2el ? "E2EL" : about.header;
    const auto line = [&](const char* which, double value) {
      text += vllm_line(fmt::format("{} {} ({}):", which, name, about.display_unit),
                        figure(value * about.display_factor));
    };
    text += vllm_heading(about.vllm_header, '-');
    line("Mean", m.mean);
    line("Median", m.p50);
    line("P90", m.p90);
    line("P99", m.p99);
  }
  return text + std::string(50, '=') + "\n";
}

std::span<const Entry<RenderResult>> result_formats() { return kFormats; }

std::string render_as(std::string_view format, const Result& result, Color color) {
  return find_entry(result_formats(), format, "format").make(result, color);
}

}  // namespace moesim
