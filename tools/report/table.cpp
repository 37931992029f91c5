#include "tools/report/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "sim/base/units_text.hpp"
#include "tools/report/training_text.hpp"

namespace moesim {

namespace {

enum class Ink { bold, dim, good, bad };

std::string paint(std::string_view text, Ink ink, Color color) {
  if (color == Color::off) return std::string(text);
  constexpr const char* codes[] = {"1", "2", "32", "31"};
  return fmt::format("\x1b[{}m{}\x1b[0m", codes[static_cast<int>(ink)], text);
}

// Names come from scenarios and traces: no control characters onto a terminal.
std::string printable(std::string_view text) {
  std::string clean;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    clean += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return clean;
}

// Characters as a terminal counts them, near enough: UTF-8 continuation bytes take no room.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string line(std::string_view name, const std::string& text) {
  return fmt::format("{:<12} {}\n", name, text);
}

// With replications, half the width of the mean's and of the p99's interval follow them.
std::vector<std::vector<std::string>> metric_rows(const std::vector<MetricSummary>& metrics,
                                                  int replications) {
  std::vector<std::vector<std::string>> rows{{"", "mean", "p50", "p90", "p99", "max", "n"}};
  if (replications > 1) rows[0] = {"", "mean", "+-", "p50", "p90", "p99", "+-", "max", "n"};
  for (const MetricSummary& m : metrics) {
    const Metric& about = metric(m.id);
    const auto figure = [&](double value) {
      return fmt::format("{:.2f}", value * about.display_factor);
    };
    rows.push_back({fmt::format("{} ({})", about.header, about.display_unit), figure(m.mean),
                    figure(m.p50), figure(m.p90), figure(m.p99) + (m.small_sample ? "*" : " "),
                    figure(m.max), grouped(m.count)});
    if (replications < 2) continue;
    const auto half = [&](const std::optional<Interval>& interval) {
      return interval ? figure((interval->high - interval->low) / 2) : std::string("-");
    };
    rows.back().insert(rows.back().begin() + 5, half(m.p99_interval));
    rows.back().insert(rows.back().begin() + 2, half(m.mean_interval));
  }
  return rows;
}

std::string request_line(const RequestCounts& r) {
  std::string text = fmt::format("{} finished of {}", grouped(r.finished), grouped(r.arrived));
  const auto add = [&](std::int64_t n, const char* what) {
    if (n > 0) text += fmt::format(", {} {}", grouped(n), what);
  };
  add(r.shed, "shed");
  add(r.failed, "failed");
  add(r.unfinished, "unfinished");
  add(r.preemptions, "preemptions");
  add(r.warmup, "more left out as warm-up");
  return text;
}

std::string throughput_line(const Result& result) {
  const Throughput& t = result.summary.throughput;
  const auto whole = [](double value) { return grouped(std::llround(value)); };
  std::string text =
      fmt::format("{:.2f} req/s, {} output tok/s, {} tok/s in all", t.requests.value,
                  whole(t.output_tokens.value), whole(t.total_tokens.value));
  if (result.gpu_count > 0) {
    text +=
        fmt::format(", {:.1f} output tok/s per GPU", t.output_tokens.value / result.gpu_count);
  }
  if (!result.summary.slo.empty())
    text += fmt::format("; goodput {:.2f} req/s", t.goodput.value);
  return text;
}

std::string utilization_line(const UtilizationResult& u) {
  std::string text =
      fmt::format("GPUs {}, experts {}, links {}, flops {} of peak", percent(u.gpu),
                  percent(u.expert_compute), percent(u.links), percent(u.achieved_flops));
  if (u.dense_baseline) text += fmt::format(" (dense baseline {})", percent(*u.dense_baseline));
  return text;
}

std::string balance_line(const BalanceResult& b) {
  std::string text =
      fmt::format("balancedness {:.3f} (worst layer {:.3f}), router entropy {:.3f}",
                  b.balancedness, b.worst_balancedness, b.router_entropy);
  if (b.gap > 0) text += fmt::format(", {} over the bound", percent(b.gap));
  if (b.overflow_rate > 0) text += fmt::format(", overflow {}", percent(b.overflow_rate));
  if (b.dropped_token_rate > 0) {
    text += fmt::format(", tokens with a dropped expert {}", percent(b.dropped_token_rate));
  }
  if (b.dead_experts > 0) text += fmt::format(", dead experts {}", percent(b.dead_experts));
  return text;
}

std::string busiest_line(const Result& result) {
  std::string text;
  if (const GpuResult* gpu = busiest_gpu(result)) {
    text = fmt::format("GPU {} {}", printable(gpu->name), percent(gpu->utilization));
  }
  if (const LinkResult* link = busiest_link(result)) {
    text += fmt::format("{}link {} {} ({})", text.empty() ? "" : ", ", printable(link->name),
                        percent(link->utilization), to_display(link->busbw));
  }
  return text;
}

// "queueing 61 %, expert_straggler 9 % (node3.gpu5, layer 34 expert 7), ..."
std::string blame_line(const Result& result, const BlameReport& b) {
  std::vector<std::pair<double, Cause>> causes;
  for (std::size_t c = 0; c < kCauses; ++c) {
    causes.emplace_back(-b.seconds.of[c], static_cast<Cause>(c));
  }
  std::sort(causes.begin(), causes.end());
  std::string text = fmt::format("by {} ({}, n = {}):", metric(b.metric).header,
                                 to_display(b.latency), grouped(b.requests));
  const char* gap = " ";
  for (const auto& [negative, cause] : causes) {
    const double share = b.latency.value > 0 ? -negative / b.latency.value : 0;
    if (share < 0.02) continue;
    std::string name(to_text(cause));
    std::replace(name.begin(), name.end(), '_', ' ');
    text += fmt::format("{}{} {:.0f} %", gap, name, 100 * share);
    gap = ", ";
    if (cause == Cause::expert_straggler && !b.gpus.empty() && !b.experts.empty()) {
      text += fmt::format(" (most: {}, layer {} expert {})",
                          printable(gpu_name(result, b.gpus[0].gpu)), b.experts[0].layer.value,
                          b.experts[0].expert.value);
    }
    if (cause == Cause::dispatch && !b.links.empty()) {
      text += fmt::format(" (most: {})", printable(link_name(result, b.links[0].link)));
    }
  }
  return text;
}

std::string tenant_rows(const Summary& summary) {
  if (summary.tenants.size() < 2) return "";
  std::vector<std::vector<std::string>> rows{
      {"tenant", "TTFT p50 (ms)", "p99", "TPOT p50 (ms)", "p99", "finished"}};
  for (const TenantSummary& t : summary.tenants) {
    std::vector<std::string> row{printable(t.name)};
    for (const MetricId id : {MetricId::ttft, MetricId::tpot}) {
      const auto m = std::find_if(t.metrics.begin(), t.metrics.end(),
                                  [id](const MetricSummary& s) { return s.id == id; });
      const bool there = m != t.metrics.end() && m->count > 0;
      row.push_back(there ? fmt::format("{:.2f}", m->p50 * 1e3) : "-");
      row.push_back(there ? fmt::format("{:.2f}", m->p99 * 1e3) : "-");
    }
    row.push_back(grouped(t.requests.finished));
    rows.push_back(std::move(row));
  }
  return "\n" + align(rows);
}

}  // namespace

std::string grouped(std::int64_t number) {
  std::string digits = fmt::format("{}", number < 0 ? -number : number);
  for (auto at = std::ssize(digits) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return number < 0 ? "-" + digits : digits;
}

std::string align(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width(row[c]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string out;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string fill(widths[c] - width(row[c]), ' ');
      out += c == 0 ? row[c] + fill : "  " + fill + row[c];
    }
    out.erase(out.find_last_not_of(' ') + 1);
    text += out + '\n';
  }
  return text;
}

std::string render_table(const Result& result, Color color) {
  const Summary& summary = result.summary;
  std::string title = printable(result.scenario);
  if (!result.model.empty()) title += ": " + printable(result.model);
  if (!result.cluster.empty()) title += " on " + printable(result.cluster);
  std::string text = paint(title, Ink::bold, color) + "\n";
  if (result.partial) text += paint("interrupted: what had finished", Ink::bad, color) + "\n";
  text += "\n" + align(metric_rows(summary.metrics, result.replications)) +
          tenant_rows(summary) + "\n";
  if (result.training) {
    text += training_lines(*result.training);
  } else {
    text += line("Requests", request_line(summary.requests));
    text += line("Throughput", throughput_line(result));
  }
  text += line("Utilization", utilization_line(result.utilization));
  text += line("Balance", balance_line(result.balance));
  if (const std::string busiest = busiest_line(result); !busiest.empty()) {
    text += line("Busiest", busiest);
  }
  for (const BlameReport& b : result.blame) {
    if (b.requests > 0) {
      text +=
          line(fmt::format("Slowest {:.3g} %", 100 * b.slowest_share), blame_line(result, b));
    }
  }
  for (const SloVerdict& v : summary.slo) {
    const std::string verdict =
        v.met ? paint("met", Ink::good, color) : paint("missed", Ink::bad, color);
    text += line("SLO", fmt::format("{} {}: {} of {}", v.name, verdict, to_display(v.value),
                                    to_display(v.limit)));
  }
  const bool small = std::any_of(summary.metrics.begin(), summary.metrics.end(),
                                 [](const MetricSummary& m) { return m.small_sample; });
  std::vector<std::string> notes = result.notes;
  if (small)
    notes.push_back("* fewer than 1,000 values: the p99 rests on less than ten of them");
  if (summary.suggested_warmup > 0) {
    notes.push_back(
        fmt::format("the first {} requests look unlike the rest (MSER-5): consider "
                    "a larger serving.warmup",
                    grouped(summary.suggested_warmup)));
  }
  for (const std::string& note : notes) text += paint(printable(note), Ink::dim, color) + "\n";
  return text;
}

}  // namespace moesim
