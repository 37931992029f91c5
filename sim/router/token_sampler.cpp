#include "sim/router/token_sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {
constexpr double kNever = std::numeric_limits<double>::infinity();
// After so many experts that were already taken, draw from the remaining ones directly.
constexpr int kPatience = 24;
}  // namespace

TokenSampler::TokenSampler(const RouterShape& shape, std::span<const double> rates)
    : shape_(shape),
      rates_(rates.begin(), rates.end()),
      keep_(rates.size()),
      other_(rates.size()),
      rung_(rates.size(), 0) {
  MOESIM_LAW(rates.size() == static_cast<std::size_t>(shape.experts), "one rate per expert");
  const int races = shape.group_limited() ? shape.expert_groups : 1;
  size_ = shape.experts / races;
  races_.resize(static_cast<std::size_t>(races));
  ranked_.resize(races_.size());
  for (std::size_t r = 0; r < races_.size(); ++r) {
    races_[r].first = static_cast<int>(r) * size_;
    build_alias(races_[r]);
  }
}

void TokenSampler::build_alias(Race& race) {
  const auto n = static_cast<std::size_t>(size_);
  const auto first = static_cast<std::size_t>(race.first);
  for (std::size_t i = first; i < first + n; ++i) race.total += rates_[i];
  std::vector<double> scaled(n);
  std::vector<std::size_t> small;
  std::vector<std::size_t> large;
  for (std::size_t i = 0; i < n; ++i) {
    scaled[i] = race.total > 0 ? rates_[first + i] / race.total * static_cast<double>(n) : 1;
    (scaled[i] < 1 ? small : large).push_back(i);
  }
  while (!small.empty() && !large.empty()) {
    const std::size_t s = small.back();
    const std::size_t l = large.back();
    small.pop_back();
    keep_[first + s] = static_cast<std::uint32_t>(scaled[s] * 0x1p32);
    other_[first + s] = static_cast<std::int32_t>(first + l);
    scaled[l] -= 1 - scaled[s];
    if (scaled[l] < 1) {
      large.pop_back();
      small.push_back(l);
    }
  }
  for (const auto& rest : {small, large}) {
    for (const std::size_t i : rest) {
      keep_[first + i] = 0xffffffffU;
      other_[first + i] = static_cast<std::int32_t>(first + i);
    }
  }
}

int TokenSampler::pick(Race& race, Stream& stream) {
  for (int i = 0; i < kPatience; ++i) {
    const std::uint64_t bits = stream.bits();
    const auto slot =
        race.first + static_cast<int>(((bits >> 32) * static_cast<unsigned>(size_)) >> 32);
    const auto index = static_cast<std::size_t>(slot);
    const int expert = static_cast<std::uint32_t>(bits) <= keep_[index] ? slot : other_[index];
    const auto e = static_cast<std::size_t>(expert);
    if (rung_[e] != token_ && rates_[e] > 0) {
      rung_[e] = token_;
      return expert;
    }
  }
  double left = 0;
  for (int e = race.first; e < race.first + size_; ++e) {
    const auto index = static_cast<std::size_t>(e);
    if (rung_[index] != token_) left += rates_[index];
  }
  double u = stream.uniform() * left;
  int last = -1;
  for (int e = race.first; e < race.first + size_; ++e) {
    const auto index = static_cast<std::size_t>(e);
    if (rung_[index] == token_ || rates_[index] <= 0) continue;
    last = e;
    u -= rates_[index];
    if (u < 0) break;
  }
  MOESIM_LAW(last >= 0, "a token finds top_k experts that can be chosen");
  rung_[static_cast<std::size_t>(last)] = token_;
  return last;
}

void TokenSampler::draw(Stream& stream, std::span<int> chosen) {
  ++token_;
  if (shape_.group_limited()) {
    draw_grouped(stream, chosen);
  } else {
    for (int& expert : chosen) expert = pick(races_[0], stream);
  }
}

void TokenSampler::draw_mirrored(Stream& stream, std::span<int> chosen) {
  mirrored_ = true;
  draw(stream, chosen);
  mirrored_ = false;
}

void TokenSampler::ring(Race& race, int slot, double after, Stream& stream) {
  if (race.left < 1e-3 * race.total) {  // cancellation: sum what is left
    race.left = 0;
    for (int e = race.first; e < race.first + size_; ++e) {
      const auto index = static_cast<std::size_t>(e);
      if (rung_[index] != token_) race.left += rates_[index];
    }
  }
  if (race.left <= 0) {
    race.time[slot] = kNever;
    return;
  }
  double luck = stream.open_uniform();
  if (race.rings < 2) {
    if (mirrored_) luck = 1 - race.luck[race.rings];
    race.luck[race.rings] = luck;
  }
  race.time[slot] = after - std::log(luck) / race.left;
  race.expert[slot] = pick(race, stream);
  race.left -= rates_[static_cast<std::size_t>(race.expert[slot])];
  if (race.rings < 3) {
    race.early[race.rings] = race.time[slot];
    race.early_expert[race.rings] = race.expert[slot];
  }
  ++race.rings;
}

void TokenSampler::draw_grouped(Stream& stream, std::span<int> chosen) {
  const bool two = adds_two();
  for (std::size_t r = 0; r < races_.size(); ++r) {
    Race& race = races_[r];
    race.left = race.total;
    race.rings = 0;
    race.early[2] = kNever;
    ring(race, 0, 0, stream);
    ring(race, 1, race.time[0], stream);
    race.score = two ? race.time[0] * race.time[1] : race.time[0];
    ranked_[r] = static_cast<int>(r);
  }
  const auto kept = ranked_.begin() + shape_.top_groups;
  std::partial_sort(ranked_.begin(), kept, ranked_.end(), [this](int a, int b) {
    return races_[static_cast<std::size_t>(a)].score <
           races_[static_cast<std::size_t>(b)].score;
  });
  worst_kept_ = races_[static_cast<std::size_t>(*(kept - 1))].score;
  best_left_out_ = kNever;
  for (auto r = kept; r != ranked_.end(); ++r) {
    best_left_out_ = std::min(best_left_out_, races_[static_cast<std::size_t>(*r)].score);
  }
  const auto first_to_ring = [this, kept] {
    Race* next = nullptr;
    for (auto r = ranked_.begin(); r != kept; ++r) {
      Race& race = races_[static_cast<std::size_t>(*r)];
      if (next == nullptr || race.time[0] < next->time[0]) next = &race;
    }
    return next;
  };
  for (int& expert : chosen) {
    Race* next = first_to_ring();
    MOESIM_LAW(next->time[0] < kNever, "the kept groups hold top_k experts that can be chosen");
    expert = next->expert[0];
    last_time_ = next->time[0];
    next->time[0] = next->time[1];
    next->expert[0] = next->expert[1];
    if (next->time[0] < kNever) ring(*next, 1, next->time[0], stream);
  }
  next_time_ = first_to_ring()->time[0];
}

void TokenSampler::thresholds(std::span<double> latest) const {
  for (std::size_t r = 0; r < races_.size(); ++r) {
    const Race& race = races_[r];
    // A group that was left out must first replace the worst one that was kept.
    const double entry = adds_two() ? worst_kept_ / race.early[0] : worst_kept_;
    latest[r] = race.score <= worst_kept_ ? last_time_ : std::min(entry, last_time_);
  }
}

void TokenSampler::thresholds_without(std::span<const int> chosen,
                                      std::vector<WithoutItself>& out) const {
  out.clear();
  for (const Race& race : races_) {
    const bool kept = race.score <= worst_kept_;
    const double to_beat = kept ? best_left_out_ : worst_kept_;
    for (int i = 0; i < 2; ++i) {
      // The group's best two rings without this one: `partner` and the third.
      const double partner = race.early[1 - i];
      const bool chosen_itself = kept && race.early[i] <= last_time_;
      const double place = chosen_itself ? next_time_ : last_time_;
      const double alone = adds_two() ? partner * race.early[2] : partner;
      const double entry = adds_two() ? to_beat / partner : to_beat;
      out.push_back({race.early_expert[i], alone < to_beat ? place : std::min(entry, place)});
    }
  }
  for (const int expert : chosen) {
    const Race& race = races_[static_cast<std::size_t>(expert / size_)];
    if (expert == race.early_expert[0] || expert == race.early_expert[1]) continue;
    out.push_back({expert, next_time_});
  }
}

}  // namespace moesim
