#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "sim/base/csv.hpp"
#include "tools/fleet/comparison.hpp"
#include "tools/report/table.hpp"

namespace moesim {

namespace {

using Json = nlohmann::ordered_json;

// "0.913 [0.90, 0.92] *"; * marks a real difference.
std::string ratio_text(const Compared& compared) {
  if (std::isnan(compared.ratio)) return "-";
  std::string text = fmt::format("{:.3f}", compared.ratio);
  if (compared.interval) {
    text += fmt::format(" [{:.3f}, {:.3f}]", compared.interval->low, compared.interval->high);
  }
  return text + (compared.real ? " *" : "  ");
}

std::string row_name(const Figure& figure) {
  if (figure.display_unit.empty()) return std::string(figure.header);
  return fmt::format("{} ({})", figure.header, figure.display_unit);
}

std::vector<std::vector<std::string>> cells(const Comparison& c) {
  std::vector<std::vector<std::string>> rows{{c.keys}};
  for (std::size_t v = 0; v < c.labels.size(); ++v) {
    rows[0].push_back(c.labels[v]);
    if (v > 0) rows[0].emplace_back("ratio");
  }
  for (const ComparisonRow& row : c.rows) {
    std::vector<std::string> line{row_name(*row.figure)};
    for (std::size_t v = 0; v < row.variants.size(); ++v) {
      line.push_back(figure_text(*row.figure, row.variants[v].mean));
      if (v > 0) line.push_back(ratio_text(row.variants[v]));
    }
    rows.push_back(std::move(line));
  }
  return rows;
}

std::string explanation(const Comparison& c) {
  return fmt::format(
      "means of {} replications with the same seeds for all; ratio to '{}' with its 95 % "
      "interval of paired differences; * a real difference",
      c.replications, c.labels.front());
}

std::string table(const Comparison& c) {
  std::string text =
      c.partial ? "interrupted: the seeds that every variant had finished\n" : "";
  text += align(cells(c)) + "\n" + explanation(c) + "\n";
  for (const std::string& sentence : verdicts(c)) text += sentence + "\n";
  return text;
}

std::string markdown(const Comparison& c) {
  const auto line = [](const std::vector<std::string>& row) {
    std::string text = "|";
    for (const std::string& cell : row) {
      text += " ";
      for (const char ch : cell) {
        if (ch == '|' || ch == '*' || ch == '<' || ch == '_' || ch == '`') text += '\\';
        text += ch;
      }
      text += " |";
    }
    return text + "\n";
  };
  const auto rows = cells(c);
  std::string text = line(rows[0]) + "| --- |";
  for (std::size_t i = 1; i < rows[0].size(); ++i) text += " ---: |";
  text += "\n";
  for (std::size_t i = 1; i < rows.size(); ++i) text += line(rows[i]);
  text += "\n" + explanation(c) + "\n";
  for (const std::string& sentence : verdicts(c)) text += "\n" + sentence + "\n";
  return text;
}

std::string csv(const Comparison& c) {
  std::string text = "metric,unit,variant,mean,ratio,ratio_low,ratio_high,real\n";
  const auto number = [](double v) { return std::isfinite(v) ? fmt::format("{}", v) : ""; };
  for (const ComparisonRow& row : c.rows) {
    for (std::size_t v = 0; v < row.variants.size(); ++v) {
      const Compared& one = row.variants[v];
      text += fmt::format("{},{},{},{},{},{},{},{}\n", row.figure->tag, row.figure->unit,
                          csv_cell(c.labels[v]), number(one.mean), number(one.ratio),
                          one.interval ? number(one.interval->low) : "",
                          one.interval ? number(one.interval->high) : "", one.real ? 1 : 0);
    }
  }
  return text;
}

std::string json(const Comparison& c) {
  Json variants = Json::array();
  for (std::size_t v = 0; v < c.labels.size(); ++v) {
    Json metrics = Json::object();
    for (const ComparisonRow& row : c.rows) {
      const Compared& one = row.variants[v];
      metrics[std::string(row.figure->tag)] = {
          {"unit", row.figure->unit},
          {"mean", one.mean},
          {"ratio", one.ratio},
          {"ratio_interval",
           one.interval ? Json{one.interval->low, one.interval->high} : Json(nullptr)},
          {"real", one.real}};
    }
    variants.push_back({{"variant", c.labels[v]}, {"metrics", metrics}});
  }
  const Json all{{"scenario", c.scenario},         {"keys", c.keys},
                 {"replications", c.replications}, {"partial", c.partial},
                 {"level", kConfidence},           {"variants", variants},
                 {"verdicts", verdicts(c)}};
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

constexpr Entry<RenderComparison> kFormats[] = {
    {"table", "for people, on a terminal", table},
    {"json", "everything, base units", json},
    {"csv", "one line per metric and variant, base units", csv},
    {"markdown", "for a chat or an issue", markdown},
};

}  // namespace

std::span<const Entry<RenderComparison>> comparison_formats() { return kFormats; }

}  // namespace moesim
