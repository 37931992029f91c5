#include "tools/report/result.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

namespace {

template <class Item>
const Item* busiest(const std::vector<Item>& items) {
  const auto at = std::max_element(
      items.begin(), items.end(),
      [](const Item& a, const Item& b) { return a.utilization < b.utilization; });
  return at == items.end() ? nullptr : &*at;
}

}  // namespace

std::string gpu_name(const Result& result, GpuId gpu) {
  return gpu.index() < result.gpus.size() ? result.gpus[gpu.index()].name
                                          : fmt::format("gpu{}", gpu.value);
}

std::string link_name(const Result& result, LinkId link) {
  return link.index() < result.links.size() ? result.links[link.index()].name
                                            : fmt::format("link{}", link.value);
}

const GpuResult* busiest_gpu(const Result& result) { return busiest(result.gpus); }

const LinkResult* busiest_link(const Result& result) { return busiest(result.links); }

}  // namespace moesim
