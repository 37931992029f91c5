#include "sim/machine/pair_paths.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace moesim {

void PairPaths::walk(const Cluster& cluster, std::span<const GpuId> gpus) {
  const std::size_t pairs = gpus.size() * gpus.size();
  std::vector<std::uint32_t> links;
  std::vector<Seconds> latency;
  links.reserve(4 * pairs);
  latency.reserve(pairs);
  size_.clear();
  size_.reserve(pairs);
  for (const GpuId src : gpus) {
    for (const GpuId dst : gpus) {
      const Path path = cluster.path(src, dst);
      for (const LinkId id : path.links())
        links.push_back(static_cast<std::uint32_t>(id.value));
      size_.push_back(static_cast<std::uint8_t>(path.links().size()));
      latency.push_back(path.latency);
    }
  }
  const int longest = pairs > 0 ? *std::max_element(size_.begin(), size_.end()) : 0;
  width_ = *std::find_if(kWidths.begin(), kWidths.end(), [&](int w) { return w >= longest; });
  hops_.assign(pairs * static_cast<std::size_t>(width_),
               static_cast<std::uint32_t>(cluster.links()));
  auto from = links.begin();
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    std::copy_n(from, size_[pair], hops_.begin() + static_cast<std::ptrdiff_t>(pair) * width_);
    from += size_[pair];
  }
  sort_latencies(latency);
  reroutes_ = cluster.reroutes();
}

void PairPaths::sort_latencies(std::span<const Seconds> of_pair) {
  std::map<std::int64_t, std::uint8_t> number;
  double resolution = 1e-15;  // sums of the same latencies in another order are one
  const auto rounded = [&](Seconds s) { return std::llround(s.value / resolution); };
  for (bool few = false; !few; resolution *= few ? 1 : 4) {
    number.clear();
    for (std::size_t i = 0; i < of_pair.size() && number.size() <= kClasses; ++i) {
      number.try_emplace(rounded(of_pair[i]), 0);
    }
    few = number.size() <= kClasses;
  }
  std::uint8_t next = 0;
  for (auto& [latency, of_class] : number) of_class = next++;
  latencies_.assign(number.size(), Seconds{0});
  class_.clear();
  class_.reserve(of_pair.size());
  for (const Seconds latency : of_pair) {
    class_.push_back(number.find(rounded(latency))->second);
    Seconds& longest = latencies_[class_.back()];
    longest = std::max(longest, latency);
  }
}

}  // namespace moesim
