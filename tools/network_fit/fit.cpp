#include "tools/network_fit/fit.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>

namespace moesim::network_fit {
namespace {

using Point = std::vector<double>;

Point simplex_minimum(const std::function<double(const Point&)>& f, Point start, double step,
                      int rounds) {
  const std::size_t n = start.size();
  std::vector<std::pair<double, Point>> s;
  s.emplace_back(f(start), start);
  for (std::size_t i = 0; i < n; ++i) {
    Point p = start;
    p[i] += step;
    s.emplace_back(f(p), p);
  }
  const auto along = [&](const Point& from, const Point& to, double t) {
    Point p(n);
    for (std::size_t i = 0; i < n; ++i) p[i] = from[i] + t * (to[i] - from[i]);
    return std::pair(f(p), p);
  };
  for (int round = 0; round < rounds; ++round) {
    std::stable_sort(s.begin(), s.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    Point centre(n, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) centre[j] += s[i].second[j] / static_cast<double>(n);
    }
    auto& worst = s[n];
    auto reflected = along(worst.second, centre, 2);
    if (reflected.first < s[0].first) {
      auto further = along(worst.second, centre, 3);
      worst = further.first < reflected.first ? further : reflected;
    } else if (reflected.first < s[n - 1].first) {
      worst = reflected;
    } else {
      auto inner = along(worst.second, centre, 0.5);
      if (inner.first < worst.first) {
        worst = inner;
      } else {
        for (std::size_t i = 1; i <= n; ++i) s[i] = along(s[0].second, s[i].second, 0.5);
      }
    }
  }
  return std::min_element(s.begin(), s.end(),
                          [](const auto& a, const auto& b) { return a.first < b.first; })
      ->second;
}

// A parameter that may move: its start, and how it lies in the cost. All are positive; the
// search is over logarithms.
struct Knob {
  double start;
  double& (*in)(TransportCost&);
};

template <class Of>
bool varies(std::span<const Sample> samples, Of of) {
  return std::any_of(samples.begin(), samples.end(),
                     [&](const Sample& s) { return !s.held_out && of(s) != of(samples[0]); });
}

std::vector<Knob> knobs_for(std::span<const Sample> samples) {
  const auto any = [&](auto of) { return std::any_of(samples.begin(), samples.end(), of); };
  const bool local = any([](const Sample& s) { return s.domains == 1 && !s.held_out; });
  const bool network = any([](const Sample& s) { return s.domains > 1; });
  std::vector<Knob> knobs{{1e-5, [](TransportCost& c) -> double& { return c.fixed.value; }}};
  if (local || network) {
    knobs.push_back({1.5, [](TransportCost& c) -> double& { return c.local_inverse; }});
  }
  if (varies(samples, [](const Sample& s) { return s.ranks; })) {
    knobs.push_back({6e-6, [](TransportCost& c) -> double& { return c.per_doubling.value; }});
  }
  if (varies(samples, [](const Sample& s) { return s.experts_per_rank; }) &&
      samples.size() > 30) {
    knobs.push_back({1e-7, [](TransportCost& c) -> double& { return c.per_expert.value; }});
  }
  if (network) {
    knobs.push_back({1.1, [](TransportCost& c) -> double& { return c.network_inverse; }});
    if (local) {
      knobs.push_back(
          {1e-5, [](TransportCost& c) -> double& { return c.network_fixed.value; }});
    }
    if (samples.size() > 30) {
      knobs.push_back({4, [](TransportCost& c) -> double& { return c.power; }});
    }
  }
  if (varies(samples, [](const Sample& s) { return s.sms; })) {
    knobs.push_back({4, [](TransportCost& c) -> double& { return c.local_sm; }});
    if (network) knobs.push_back({1, [](TransportCost& c) -> double& { return c.network_sm; }});
  }
  if (varies(samples, [](const Sample& s) { return s.row.value; }) && samples.size() > 30) {
    knobs.push_back({300, [](TransportCost& c) -> double& { return c.half_row.value; }});
  }
  if (samples.size() > 30) {
    knobs.push_back({1e-5, [](TransportCost& c) -> double& { return c.fill.value; }});
  }
  return knobs;
}

TransportCost cost_at(const std::vector<Knob>& knobs, const Point& point) {
  TransportCost cost;
  for (std::size_t i = 0; i < knobs.size(); ++i) knobs[i].in(cost) = std::exp(point[i]);
  cost.power = std::clamp(cost.power, 1.0, 16.0);
  return cost;
}

}  // namespace

Seconds predict(const TransportCost& cost, const Sample& s) {
  const Efficiency e = efficiency_of(cost, s.row, s.sms, s.local, s.network);
  return overhead_of(cost, s.ranks, s.domains, s.experts_per_rank) + s.latency +
         std::max(s.local / e.local, s.network / e.network);
}

TransportCost fit(std::span<const Sample> samples) {
  const std::vector<Knob> knobs = knobs_for(samples);
  Point start;
  for (const Knob& knob : knobs) start.push_back(std::log(knob.start));
  const auto miss = [&](const Point& point) {
    const TransportCost cost = cost_at(knobs, point);
    double sum = 0, count = 0;
    for (const Sample& s : samples) {
      if (s.held_out) continue;
      sum += std::abs(std::log(predict(cost, s) / s.measured));
      ++count;
    }
    // A faint pull to the start keeps what the samples cannot tell where it was.
    double far = 0;
    for (std::size_t i = 0; i < point.size(); ++i) far += std::abs(point[i] - start[i]);
    return sum / count + 2e-4 * far;
  };
  Point best = start;
  for (const double step : {1.0, -1.0, 0.7, -0.5, 0.5, 2.0, -0.3, 0.2, 0.1}) {
    best = simplex_minimum(miss, best, step, 500);
  }
  return cost_at(knobs, best);
}

Errors held_out_errors(const TransportCost& cost, std::span<const Sample> samples) {
  const bool any =
      std::any_of(samples.begin(), samples.end(), [](const Sample& s) { return s.held_out; });
  std::vector<double> errors;
  for (const Sample& s : samples) {
    if (any && !s.held_out) continue;
    errors.push_back(std::abs(predict(cost, s) / s.measured - 1));
  }
  std::sort(errors.begin(), errors.end());
  const auto at = [&](double q) {
    return errors[static_cast<std::size_t>(q * static_cast<double>(errors.size() - 1) + 0.5)];
  };
  return {any ? static_cast<int>(errors.size()) : 0, at(0.5), at(0.9)};
}

std::vector<TransportRecord> fit_all(const std::vector<Sample>& samples) {
  std::map<std::pair<std::string, std::string>, std::vector<Sample>> groups;
  for (const Sample& s : samples) groups[{s.name, s.op}].push_back(s);
  std::vector<TransportRecord> records;
  for (auto& [key, group] : groups) {
    // A group that would have nothing left to train on holds nothing out.
    if (std::all_of(group.begin(), group.end(), [](const Sample& s) { return s.held_out; })) {
      for (Sample& s : group) s.held_out = false;
    }
    TransportRecord record;
    record.name = key.first;
    record.op = key.second;
    record.cost = fit(group);
    const Errors errors = held_out_errors(record.cost, group);
    record.held_out = errors.points;
    record.trained = static_cast<int>(group.size()) - errors.points;
    record.median_error = errors.median;
    record.p90_error = errors.p90;
    record.source = key.first.substr(0, key.first.find('/'));
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace moesim::network_fit
