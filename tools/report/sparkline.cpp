#include "tools/report/sparkline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace moesim {

namespace {

constexpr std::array<std::string_view, 8> kBars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

struct Range {
  double low = 0;
  double high = 0;
  bool any = false;
};

Range range_of(std::span<const double> values) {
  Range range;
  for (const double v : values) {
    if (!std::isfinite(v)) continue;
    range.low = range.any ? std::min(range.low, v) : v;
    range.high = range.any ? std::max(range.high, v) : v;
    range.any = true;
  }
  return range;
}

}  // namespace

std::string sparkline(std::span<const double> values, std::size_t width) {
  if (values.empty() || width == 0) return "";
  Track whole;
  whole.values.assign(values.begin(), values.end());
  const Track shown = bin_track(whole, width);
  const Range range = range_of(shown.values);
  const double low = std::min(0.0, range.low);
  const double span = range.high - low;
  std::string out;
  for (const double v : shown.values) {
    if (!std::isfinite(v)) {
      out += "·";
      continue;
    }
    const double height = span > 0 ? (v - low) / span : 0;
    out += kBars[std::min<std::size_t>(7, static_cast<std::size_t>(height * 8))];
  }
  return out;
}

std::string sparklines(std::span<const Track> tracks, std::size_t width) {
  const auto name = [](const Track& t) { return t.label.empty() ? t.name : t.label; };
  std::size_t widest = 0;
  for (const Track& t : tracks) widest = std::max(widest, name(t).size());
  std::string out;
  for (const Track& t : tracks) {
    const Range range = range_of(t.values);
    if (!range.any) continue;
    out += fmt::format("{:<{}}  {}  {:.4g} .. {:.4g}{}{}\n", name(t), widest,
                       sparkline(t.values, width), range.low, range.high,
                       t.unit.empty() ? "" : " ", t.unit);
  }
  return out;
}

std::string key_sparklines(const ReportSeries& series) {
  std::vector<Track> shown;
  for (const std::string_view name : {"queue", "running", "output_tokens_per_s", "step_time",
                                      "gpu_utilization", "kv_used", "balancedness"}) {
    const auto track = std::ranges::find(series.tracks, name, &Track::name);
    if (track != series.tracks.end()) shown.push_back(*track);
  }
  return shown.empty() ? "" : "\n" + sparklines(shown);
}

}  // namespace moesim
