// The links from one GPU to another, in order, and the latency of the way. Lives on the stack.
#pragma once

#include <array>
#include <span>

#include "sim/base/errors.hpp"
#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"

namespace moesim {

class Path {
 public:
  static constexpr int kLongest = 24;

  Seconds latency{0};

  void add(LinkId link) {
    MOESIM_LAW(size_ < kLongest, "a path has at most 24 links");
    links_[static_cast<std::size_t>(size_++)] = link;
  }
  void clear() {
    size_ = 0;
    latency = Seconds{0};
  }
  [[nodiscard]] std::span<const LinkId> links() const {
    return {links_.data(), static_cast<std::size_t>(size_)};
  }

 private:
  int size_ = 0;
  std::array<LinkId, kLongest> links_;
};

}  // namespace moesim
