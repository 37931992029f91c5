#include "tools/fleet/comparison.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return values.empty() ? std::numeric_limits<double>::quiet_NaN()
                        : sum / static_cast<double>(values.size());
}

Compared compare_pairs(const std::vector<double>& first, const std::vector<double>& other) {
  Compared compared;
  compared.mean = mean_of(other);
  const double base = mean_of(first);
  compared.ratio = compared.mean / base;
  std::vector<double> differences;
  for (std::size_t i = 0; i < other.size(); ++i) differences.push_back(other[i] - first[i]);
  const auto interval = replication_interval(differences);
  if (!interval || std::isnan(interval->low)) return compared;
  compared.real = interval->low > 0 || interval->high < 0;
  if (base > 0) compared.interval = {1 + interval->low / base, 1 + interval->high / base};
  return compared;
}

// "TTFT p99 -12.3 %"
std::string change(const Figure& figure, const Compared& compared) {
  return fmt::format("{} {:+.1f} %", figure.header, 100 * (compared.ratio - 1));
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

}  // namespace

std::vector<ComparisonRow> compare(
    const std::vector<std::vector<std::vector<double>>>& values) {
  std::vector<ComparisonRow> rows;
  for (std::size_t f = 0; f < figure_catalog().size(); ++f) {
    ComparisonRow row{&figure_catalog()[f], {}};
    std::vector<double> first;
    for (std::size_t v = 0; v < values.size(); ++v) {
      MOESIM_LAW(values[v].size() == values[0].size(), "variants have the same seeds");
      std::vector<double> own;
      for (const auto& replication : values[v]) own.push_back(replication[f]);
      if (v == 0) first = own;
      row.variants.push_back(compare_pairs(first, own));
    }
    row.variants.front() = {row.variants.front().mean, 1, {}, false};
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<std::string> verdicts(const Comparison& c) {
  std::vector<std::string> sentences;
  for (std::size_t v = 1; v < c.labels.size(); ++v) {
    std::vector<std::string> better, worse;
    for (const ComparisonRow& row : c.rows) {
      const Compared& compared = row.variants[v];
      if (!compared.real) continue;
      const bool good = (compared.ratio < 1) == (row.figure->better == Better::lower);
      (good ? better : worse).push_back(change(*row.figure, compared));
    }
    std::string text = fmt::format("{} against {}: ", c.labels[v], c.labels[0]);
    if (c.replications < 2) {
      text += "one replication tells no real difference from chance";
    } else if (better.empty() && worse.empty()) {
      text += fmt::format("no real difference in {} replications", c.replications);
    } else {
      if (!better.empty()) text += "really better in " + joined(better);
      if (!worse.empty()) {
        text += std::string(better.empty() ? "" : "; ") + "really worse in " + joined(worse);
      }
    }
    sentences.push_back(text);
  }
  return sentences;
}

}  // namespace moesim
