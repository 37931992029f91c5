#include "sim/serving/balancing/balancing.hpp"

#include <array>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

// The first available candidate at or after `start`, going around.
std::size_t available_from(std::span<const Candidate> candidates, std::uint64_t start) {
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const std::size_t at = (start + i) % candidates.size();
    if (candidates[at].available) return at;
  }
  throw BrokenLaw("a balancer is asked only while a candidate is available");
}

bool lighter(const Candidate& a, const Candidate& b) {
  if (a.outstanding != b.outstanding) return a.outstanding < b.outstanding;
  return a.requests < b.requests;
}

std::size_t round_robin(std::span<const Candidate> candidates, const BalanceKey&,
                        BalanceState& state) {
  const std::size_t pick = available_from(candidates, state.next);
  state.next = pick + 1;
  return pick;
}

std::size_t least_loaded(std::span<const Candidate> candidates, const BalanceKey&,
                         BalanceState& state) {
  // Ties go around, so that equal candidates share the work from the first request on.
  std::size_t best = available_from(candidates, state.next);
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    const std::size_t at = (best + i) % candidates.size();
    if (candidates[at].available && lighter(candidates[at], candidates[best])) best = at;
  }
  state.next = best + 1;
  return best;
}

// Mitzenmacher, "The power of two choices in randomized load balancing", 2001.
std::size_t power_of_two(std::span<const Candidate> candidates, const BalanceKey&,
                         BalanceState& state) {
  const std::size_t a = available_from(candidates, state.stream.below(candidates.size()));
  const std::size_t b = available_from(candidates, state.stream.below(candidates.size()));
  return lighter(candidates[b], candidates[a]) ? b : a;
}

// Spreads keys over candidates; a key keeps its candidate while that one is available.
std::size_t by_key(std::span<const Candidate> candidates, std::uint64_t key) {
  Stream hash(key, "affinity");
  return available_from(candidates, hash.below(candidates.size()));
}

std::size_t domain_affinity(std::span<const Candidate> candidates, const BalanceKey& key,
                            BalanceState&) {
  return by_key(candidates, key.domain);
}

std::size_t prefix_affinity(std::span<const Candidate> candidates, const BalanceKey& key,
                            BalanceState&) {
  return by_key(candidates, key.prefix);
}

constexpr std::array<Entry<Balance>, 5> kPolicies{{
    {"round_robin", "each in turn", round_robin},
    {"least_loaded", "the one with the fewest outstanding tokens", least_loaded},
    {"power_of_two", "the lighter of two drawn at random", power_of_two},
    {"domain_affinity", "requests of one domain to the same one", domain_affinity},
    {"prefix_affinity", "requests of one prefix to the same one", prefix_affinity},
}};

}  // namespace

std::span<const Entry<Balance>> balancing_policies() { return kPolicies; }

}  // namespace moesim
