// Integers that name different things do not mix: a GpuId is not a NodeId.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace moesim {

template <class Tag>
struct Id {
  std::int32_t value = 0;

  constexpr Id() = default;
  constexpr explicit Id(std::int32_t v) : value(v) {}
  constexpr explicit Id(std::size_t v) : value(static_cast<std::int32_t>(v)) {}

  // For indexing a vector that has one element per id.
  [[nodiscard]] constexpr std::size_t index() const { return static_cast<std::size_t>(value); }
  friend constexpr auto operator<=>(const Id&, const Id&) = default;
};

using GpuId = Id<struct GpuTag>;
using NodeId = Id<struct NodeTag>;
using LinkId = Id<struct LinkTag>;
using ExpertId = Id<struct ExpertTag>;
using LayerId = Id<struct LayerTag>;
using SlotId = Id<struct SlotTag>;
using RankId = Id<struct RankTag>;
using RequestId = Id<struct RequestTag>;

}  // namespace moesim

template <class Tag>
struct std::hash<moesim::Id<Tag>> {
  std::size_t operator()(moesim::Id<Tag> id) const noexcept {
    return std::hash<std::int32_t>{}(id.value);
  }
};
