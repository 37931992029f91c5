#include "sim/metrics/phase_totals.hpp"

namespace moesim {

namespace {

CauseSeconds difference(const CauseSeconds& a, const CauseSeconds& b) {
  CauseSeconds out;
  for (std::size_t c = 0; c < kCauses; ++c) out.of[c] = a.of[c] - b.of[c];
  return out;
}

void add(CauseSeconds& to, const CauseSeconds& what) {
  for (std::size_t c = 0; c < kCauses; ++c) to.of[c] += what.of[c];
}

}  // namespace

PhaseTotals::PhaseTotals(int layers) : pending_(static_cast<std::size_t>(layers) + 1) {
  for (Kind& kind : kinds_) kind.rows.resize(pending_.size());
}

void PhaseTotals::begin(const CauseSeconds& so_far) {
  seen_ = so_far;
  pending_.back() = so_far;
}

void PhaseTotals::layer(int layer, const CauseSeconds& so_far) {
  pending_[static_cast<std::size_t>(layer)] = difference(so_far, seen_);
  seen_ = so_far;
}

void PhaseTotals::end(bool prefill, const CauseSeconds& whole) {
  add(pending_.back(), difference(whole, seen_));
  Kind& kind = kinds_[prefill ? 1 : 0];
  kind.steps += 1;
  for (std::size_t row = 0; row < pending_.size(); ++row) add(kind.rows[row], pending_[row]);
}

}  // namespace moesim
