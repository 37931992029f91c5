#include "sim/machine/ledger.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/errors.hpp"

namespace moesim {

LinkLedger::LinkLedger(int links, Seconds bin)
    : total_(static_cast<std::size_t>(std::max(links, 1)), 0.0),
      work_(total_.size(), 0.0),
      bin_(bin) {}

void LinkLedger::open(Seconds from, Seconds to) {
  MOESIM_LAW(from.value >= 0 && to >= from, "an interval ends after it begins");
  parts_.clear();
  if (bin_.value <= 0) return;
  const auto first = static_cast<std::size_t>(from / bin_);
  const auto last = std::max(first, static_cast<std::size_t>(to / bin_));
  const std::size_t links = total_.size();
  if (series_.size() < (last + 1) * links) series_.resize((last + 1) * links, 0.0);
  if (first == last) {
    parts_.push_back({first * links, 1.0});
    return;
  }
  for (std::size_t b = first; b <= last; ++b) {
    const double begin = std::max(from / bin_, static_cast<double>(b));
    const double end = std::min(to / bin_, static_cast<double>(b + 1));
    parts_.push_back({b * links, (end - begin) / ((to - from) / bin_)});
  }
}

std::span<const double> LinkLedger::in_bin(int bin) const {
  return std::span<const double>(series_).subspan(static_cast<std::size_t>(bin) * total_.size(),
                                                  total_.size());
}

}  // namespace moesim
