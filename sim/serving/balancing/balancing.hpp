// Who gets a request: one function per policy, used over instances and over attention ranks.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "sim/base/registry.hpp"
#include "sim/base/rng.hpp"

namespace moesim {

// One that could take the request.
struct Candidate {
  std::int64_t outstanding = 0;  // tokens to compute or produce
  int requests = 0;              // waiting and running
  bool available = true;         // false: down, or not accepting
};

// What a policy may know of the request.
struct BalanceKey {
  std::uint64_t domain = 0;  // the tenant's domain
  std::uint64_t prefix = 0;  // requests of one prefix share KV
};

// What a policy remembers between requests.
struct BalanceState {
  std::uint64_t next = 0;
  Stream stream{0, "balancing"};
};

// The index of the chosen candidate; at least one is available.
using Balance = std::size_t (*)(std::span<const Candidate>, const BalanceKey&, BalanceState&);

std::span<const Entry<Balance>> balancing_policies();

}  // namespace moesim
