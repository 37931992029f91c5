#include "sim/metrics/blame_report.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

double latency_of(const RequestRecord& r, MetricId metric) {
  switch (metric) {
    case MetricId::ttft:
      return r.ttft().value;
    case MetricId::tpot:
      return r.tpot().value;
    default:
      return r.e2el().value;
  }
}

std::vector<RequestId> slowest(const Recorder& recorder, MetricId metric, double share) {
  std::vector<std::pair<double, RequestId>> all;
  const auto& records = recorder.records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const RequestRecord& r = records[i];
    if (r.state != RequestState::finished || !recorder.counts(RequestId(i))) continue;
    if (metric == MetricId::tpot && r.output_tokens < 2) continue;
    all.emplace_back(-latency_of(r, metric), RequestId(i));
  }
  const auto wanted =
      static_cast<std::size_t>(std::ceil(share * static_cast<double>(all.size())));
  const auto kept = std::min(all.size(), wanted);
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(kept);
  std::nth_element(all.begin(), middle, all.end());
  std::vector<RequestId> ids;
  for (std::size_t i = 0; i < kept; ++i) ids.push_back(all[i].second);
  std::sort(ids.begin(), ids.end());
  return ids;
}

CauseSeconds causes_of(const Blame& blame, const RequestRecord& r, RequestId id,
                       MetricId metric) {
  if (metric == MetricId::ttft) return blame.until_first_token(id, r.ttft());
  CauseSeconds seconds = blame.until_end(id, r.e2el());
  if (metric == MetricId::tpot) {
    const CauseSeconds before = blame.until_first_token(id, r.ttft());
    for (std::size_t c = 0; c < kCauses; ++c) {
      seconds.of[c] = (seconds.of[c] - before.of[c]) / (r.output_tokens - 1);
    }
  }
  return seconds;
}

// Weight of every step of an instance: by how much it adds to the mean of the set.
std::vector<double> step_weights(const Blame& blame, const Recorder& recorder, int instance,
                                 const std::vector<RequestId>& set, MetricId metric) {
  std::vector<double> weights(blame.steps(instance).size() + 1, 0);
  for (const Blame::Stay& stay : blame.stays()) {
    if (stay.instance() != instance) continue;
    if (metric == MetricId::ttft && stay.after_first_token()) continue;
    if (metric == MetricId::tpot && !stay.after_first_token()) continue;
    if (!std::binary_search(set.begin(), set.end(), stay.id)) continue;
    double weight = 1.0 / static_cast<double>(set.size());
    if (metric == MetricId::tpot) {
      weight /= recorder.records()[stay.id.index()].output_tokens - 1;
    }
    weights[stay.first] += weight;
    weights[stay.last + 1] -= weight;
  }
  for (std::size_t i = 1; i < weights.size(); ++i) weights[i] += weights[i - 1];
  return weights;
}

template <class Key>
std::vector<std::pair<Key, Seconds>> largest(const std::map<Key, double>& seconds,
                                             std::size_t top) {
  std::vector<std::pair<Key, Seconds>> sorted;
  for (const auto& [key, s] : seconds) sorted.emplace_back(key, Seconds{s});
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  sorted.resize(std::min(sorted.size(), top));
  return sorted;
}

struct Stragglers {
  std::map<GpuId, double> gpus;
  std::map<LayerId, double> layers;
  std::map<std::pair<LayerId, ExpertId>, double> experts;
  std::map<LinkId, double> links;

  void add(const Blame::StepNote& note, double weight) {
    if (note.expert_seconds > 0) {
      const double seconds = weight * note.expert_seconds;
      const LayerId layer(static_cast<std::int32_t>(note.layer));
      gpus[GpuId(note.gpu)] += seconds;
      layers[layer] += seconds;
      experts[{layer, ExpertId(static_cast<std::int32_t>(note.expert))}] += seconds;
    }
    if (note.link_seconds > 0) links[LinkId(note.link)] += weight * note.link_seconds;
  }
};

}  // namespace

BlameReport blame_of_slowest(const Blame& blame, const Recorder& recorder, MetricId metric,
                             double slowest_share, std::size_t top) {
  MOESIM_LAW(metric == MetricId::e2el || metric == MetricId::ttft || metric == MetricId::tpot,
             "blame is of a latency per request");
  BlameReport report{.metric = metric, .slowest_share = slowest_share};
  const auto set = slowest(recorder, metric, slowest_share);
  report.requests = std::ssize(set);
  if (set.empty()) return report;
  const auto n = static_cast<double>(set.size());
  for (const RequestId id : set) {
    const RequestRecord& r = recorder.records()[id.index()];
    report.latency += Seconds{latency_of(r, metric) / n};
    const CauseSeconds seconds = causes_of(blame, r, id, metric);
    for (std::size_t c = 0; c < kCauses; ++c) report.seconds.of[c] += seconds.of[c] / n;
  }
  Stragglers stragglers;
  for (int i = 0; i < blame.instances(); ++i) {
    const auto weights = step_weights(blame, recorder, i, set, metric);
    const auto& notes = blame.steps(i);
    for (std::size_t s = 0; s < notes.size(); ++s) {
      // The running sum of weights comes back to zero only up to rounding.
      if (weights[s] > 1e-9 / n) stragglers.add(notes[s], weights[s]);
    }
  }
  for (const auto& [gpu, s] : largest(stragglers.gpus, top)) report.gpus.push_back({gpu, s});
  for (const auto& [layer, s] : largest(stragglers.layers, top)) {
    report.layers.push_back({layer, s});
  }
  for (const auto& [which, s] : largest(stragglers.experts, top)) {
    report.experts.push_back({which.first, which.second, s});
  }
  for (const auto& [link, s] : largest(stragglers.links, top))
    report.links.push_back({link, s});
  return report;
}

}  // namespace moesim
