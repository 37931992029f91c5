#include "sim/metrics/blame.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

// Clocks are doubles: an instant t is known to about t x 2e-16, and a latency is the difference
// of two that went through many additions.
bool adds_up(double sum, Seconds latency, Seconds now) {
  return std::abs(sum - latency.value) <= 1e-9 * latency.value + 1e-12 * (1 + now.value);
}

}  // namespace

std::string_view to_text(Cause cause) {
  constexpr std::string_view names[] = {"queueing",
                                        "attention",
                                        "attention_straggler",
                                        "collective",
                                        "dense",
                                        "dispatch",
                                        "expert",
                                        "expert_straggler",
                                        "combine",
                                        "host",
                                        "kv_transfer",
                                        "rebalancing",
                                        "fault",
                                        "pipeline",
                                        "other"};
  static_assert(std::size(names) == kCauses);
  return names[static_cast<std::size_t>(cause)];
}

void Blame::Sums::add(Cause cause, double seconds) {
  double& h = high[cause];
  const double next = h + seconds;
  low[cause] += std::abs(h) >= std::abs(seconds) ? (h - next) + seconds : (seconds - next) + h;
  h = next;
}

CauseSeconds Blame::Sums::since(const Sums& earlier) const {
  CauseSeconds difference;
  for (std::size_t c = 0; c < kCauses; ++c) {
    difference.of[c] = (high.of[c] - earlier.high.of[c]) + (low.of[c] - earlier.low.of[c]);
  }
  return difference;
}

Blame::Blame(int instances, std::int64_t requests)
    : instances_(static_cast<std::size_t>(instances)) {
  const auto n = static_cast<std::size_t>(std::max<std::int64_t>(requests, 0));
  slot_.reserve(n);
  end_.reserve(n);
  first_.reserve(n);
}

void Blame::advance(Instance& instance, Seconds now, Cause cause) {
  MOESIM_LAW(now >= instance.until, "an instance's steps do not overlap");
  if (now > instance.until) instance.sums.add(cause, (now - instance.until).value);
  instance.until = now;
}

void Blame::step(int instance, Seconds begin, Seconds end, const CauseSeconds& seconds,
                 const Straggler& s, Cause idle) {
  Instance& at = instances_[static_cast<std::size_t>(instance)];
  advance(at, begin, idle);
  const double rest = (end - begin).value - seconds.sum();
  MOESIM_LAW(rest >= -1e-9 * (end - begin).value - 1e-12 * (1 + end.value),
             "the causes of a step explain at most its duration");
  for (std::size_t c = 0; c < kCauses; ++c) {
    if (seconds.of[c] != 0) at.sums.add(static_cast<Cause>(c), seconds.of[c]);
  }
  at.sums.add(Cause::other, rest);
  at.until = end;
  at.notes.push_back({s.gpu.value, static_cast<std::int16_t>(s.layer.value),
                      static_cast<std::int16_t>(s.expert.value), s.link.value,
                      static_cast<float>(s.expert_seconds.value),
                      static_cast<float>(s.link_seconds.value)});
}

void Blame::idle(int instance, Seconds now, Cause cause) {
  advance(instances_[static_cast<std::size_t>(instance)], now, cause);
}

void Blame::waits(RequestId id, Seconds now, Cause cause) {
  Live& r = live(id);
  MOESIM_LAW(!r.inside && now >= r.until, "a request waits outside of an instance");
  r.sum[cause] += (now - r.until).value;
  r.until = now;
}

Blame::Live& Blame::live(RequestId id) {
  MOESIM_LAW(id.index() < slot_.size() && slot_[id.index()] > 0,
             "a request enters before it does anything else");
  return live_[static_cast<std::size_t>(slot_[id.index()] - 1)];
}

void Blame::enters(RequestId id, int instance, Seconds arrival, Seconds now, Cause waited) {
  if (id.index() >= slot_.size()) slot_.resize(id.index() + 1, 0);
  if (slot_[id.index()] == 0) {
    if (free_.empty()) {
      live_.emplace_back();
      free_.push_back(static_cast<std::int32_t>(live_.size()));
    }
    slot_[id.index()] = free_.back();
    free_.pop_back();
    live(id) = Live{.arrival = arrival, .until = arrival};
  }
  Live& r = live(id);
  MOESIM_LAW(!r.inside && now >= r.until, "a request enters an instance from outside");
  r.sum[waited] += (now - r.until).value;
  Instance& at = instances_[static_cast<std::size_t>(instance)];
  advance(at, now, Cause::other);
  r.at_entry = at.sums;
  r.instance = instance;
  r.first_step = static_cast<std::uint32_t>(at.notes.size());
  r.inside = true;
}

// Takes over from the instance's sums what happened since entering, up to `now`.
void Blame::settle(RequestId id, Live& r, Seconds now) {
  if (!r.inside) {
    r.sum[Cause::queueing] += (now - r.until).value;
    r.until = now;
    return;
  }
  Instance& at = instances_[static_cast<std::size_t>(r.instance)];
  advance(at, now, Cause::other);
  const CauseSeconds spent = at.sums.since(r.at_entry);
  for (std::size_t c = 0; c < kCauses; ++c) r.sum.of[c] += spent.of[c];
  r.until = now;
  const auto steps = static_cast<std::uint32_t>(at.notes.size());
  if (steps > r.first_step) {
    stays_.push_back({id, 2 * r.instance + (r.streamed ? 1 : 0), r.first_step, steps - 1});
  }
  r.at_entry = at.sums;
  r.first_step = steps;
}

void Blame::first_token(RequestId id, Seconds now) {
  Live& r = live(id);
  if (r.streamed) return;
  settle(id, r, now);
  r.at_first_token = r.sum;
  r.streamed = true;
}

void Blame::leaves(RequestId id, Seconds now) {
  Live& r = live(id);
  settle(id, r, now);
  r.inside = false;
}

void Blame::finished(RequestId id, Seconds now) {
  Live& r = live(id);
  settle(id, r, now);
  MOESIM_LAW(adds_up(r.sum.sum(), now - r.arrival, now),
             "the causes of a request add up to its latency");
  if (id.index() >= end_.size()) {
    end_.resize(id.index() + 1);
    first_.resize(id.index() + 1);
  }
  end_[id.index()] = to_shares(r.sum);
  first_[id.index()] = to_shares(r.at_first_token);
  release(id);
}

void Blame::dropped(RequestId id) {
  if (id.index() < slot_.size() && slot_[id.index()] > 0) release(id);
}

void Blame::release(RequestId id) {
  free_.push_back(slot_[id.index()]);
  slot_[id.index()] = 0;
}

Blame::Shares Blame::to_shares(const CauseSeconds& seconds) {
  const double sum = seconds.sum();
  Shares shares{};
  for (std::size_t c = 0; sum > 0 && c < kCauses; ++c) {
    shares[c] = static_cast<float>(std::max(0.0, seconds.of[c]) / sum);
  }
  return shares;
}

CauseSeconds Blame::from_shares(const Shares& shares, Seconds latency) {
  double sum = 0;
  for (const float share : shares) sum += share;
  CauseSeconds seconds;
  for (std::size_t c = 0; sum > 0 && c < kCauses; ++c) {
    seconds.of[c] = latency.value * (shares[c] / sum);
  }
  return seconds;
}

CauseSeconds Blame::until_end(RequestId id, Seconds latency) const {
  return from_shares(end_.at(id.index()), latency);
}

CauseSeconds Blame::until_first_token(RequestId id, Seconds latency) const {
  return from_shares(first_.at(id.index()), latency);
}

}  // namespace moesim
