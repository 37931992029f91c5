// The links between every two GPUs of a group, walked once: what models read that look at
// flows.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "topology/cluster.hpp"

namespace moesim {

class PairPaths {
 public:
  // Every path is stored as wide as the longest, rounded up to one of these: loops over it have
  // a fixed length.
  static constexpr std::array<int, 6> kWidths{2, 4, 6, 8, 12, 24};
  static_assert(kWidths.back() == Path::kLongest);

  // [gpus * gpus] paths as they are now. Throws InputError when two GPUs are cut off.
  void walk(const Cluster& cluster, std::span<const GpuId> gpus);

  // Walked, and no link went down or came back since.
  [[nodiscard]] bool holds(const Cluster& cluster) const {
    return width_ > 0 && reroutes_ == cluster.reroutes();
  }
  // Link numbers from rank s to rank d, pair = s * ranks + d.
  [[nodiscard]] std::span<const std::uint32_t> links(std::size_t pair) const {
    return {hops(pair), size_[pair]};
  }
  [[nodiscard]] int width() const { return width_; }
  // The same, filled up to `width` with the number after the last link's.
  [[nodiscard]] const std::uint32_t* hops(std::size_t pair) const {
    return hops_.data() + pair * static_cast<std::size_t>(width_);
  }
  [[nodiscard]] Seconds latency(std::size_t pair) const { return latencies_[class_[pair]]; }
  // Pairs with the same latency are of one class: few on computed fabrics. Where there are more
  // than kClasses, near ones are taken together.
  static constexpr std::size_t kClasses = 64;
  [[nodiscard]] std::size_t latency_class(std::size_t pair) const { return class_[pair]; }
  [[nodiscard]] std::span<const Seconds> latencies() const { return latencies_; }  // ascending

 private:
  void sort_latencies(std::span<const Seconds> of_pair);

  int width_ = 0;
  std::vector<std::uint32_t> hops_;  // [pairs * width]
  std::vector<std::uint8_t> size_;   // [pairs]
  std::vector<std::uint8_t> class_;  // [pairs] into latencies_
  std::vector<Seconds> latencies_;
  int reroutes_ = 0;
};

}  // namespace moesim
