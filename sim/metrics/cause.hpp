// What a request can be waiting for at any instant: the critical path, cut into causes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace moesim {

enum class Cause : std::uint8_t {
  queueing,             // in a queue: never scheduled yet, or preempted
  attention,            // attention if all ranks had the mean load
  attention_straggler,  // ... and what the slowest rank takes longer
  collective,           // all-reduces between the GPUs of an attention rank
  dense,                // dense FFN, shared experts, embeddings, head, router
  dispatch,             // tokens to experts: pack and network
  expert,               // routed experts if all GPUs had the mean load
  expert_straggler,     // ... and what the slowest GPU takes longer
  combine,              // expert outputs back: network and weighted sum
  host,                 // scheduling, launch, sampling
  kv_transfer,          // KV to a decode pool, or to host memory and back
  rebalancing,          // migration of experts
  fault,                // recovery time
  pipeline,             // from stage to stage, and waiting for the slowest one
  other,                // what the caller left unexplained; idle gaps
};
inline constexpr std::size_t kCauses = 15;

std::string_view to_text(Cause cause);

// Seconds by cause.
struct CauseSeconds {
  std::array<double, kCauses> of{};

  double& operator[](Cause cause) { return of[static_cast<std::size_t>(cause)]; }
  double operator[](Cause cause) const { return of[static_cast<std::size_t>(cause)]; }
  [[nodiscard]] double sum() const {
    double total = 0;
    for (const double s : of) total += s;
    return total;
  }
  friend bool operator==(const CauseSeconds&, const CauseSeconds&) = default;
};

}  // namespace moesim
