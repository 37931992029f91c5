#include "sim/machine/step_flows.hpp"

#include <algorithm>
#include <array>

#include "sim/base/errors.hpp"

namespace moesim {
namespace {

template <int kWidth>
class Flows : public StepFlows {
 public:
  void clear() override { flows_.clear(); }

  void add(double work, const std::uint32_t* hops) override {
    Flow& flow = flows_.emplace_back();
    flow.left = work;
    std::copy_n(hops, kWidth, flow.hops.begin());
  }

  void take_step(StepLinks& links, double seconds) override {
    std::erase_if(links.busy, [&](std::uint32_t l) { return links.links[l].active == 0; });
    for (const std::uint32_t l : links.busy) {
      links.links[l].free = links.bandwidth[l] * seconds;
      links.links[l].open = links.links[l].active;
    }
    share_.resize(links.links.size());
    least_.resize(links.links.size());
    fixed_.clear();
    while (!flows_.empty()) {
      give_small_flows(links);
      give_at_bottlenecks(links);
    }
    std::swap(flows_, fixed_);
    for (const std::uint32_t l : links.busy) {
      links.left[l] -= links.bandwidth[l] * seconds - links.links[l].free;
    }
  }

 private:
  using Hops = std::array<std::uint32_t, kWidth>;
  struct Flow {
    double left;  // bytes of work
    Hops hops;
  };
  // A flow with less left than any of its links gives every flow gets all of it. Notes for the
  // links how little their other flows can get.
  void give_small_flows(StepLinks& all) {
    double* const share = share_.data();
    double* const least = least_.data();
    StepLinks::Link* const links = all.links.data();
    for (const std::uint32_t l : all.busy) {
      share[l] = links[l].share_of(links[l].open);
      least[l] = share[l];
    }
    Flow* kept = flows_.data();
    for (const Flow& flow : flows_) {
      const double left = flow.left;
      const Hops hops = flow.hops;
      double gets = share[hops[0]];
      for (int h = 1; h < kWidth; ++h) gets = std::min(gets, share[hops[h]]);
      if (left > gets) {
        for (const std::uint32_t l : hops) least[l] = std::min(least[l], gets);
        *kept++ = flow;
        continue;
      }
      for (const std::uint32_t l : hops) {
        links[l].free -= left;
        --links[l].open;
        --links[l].active;
      }
    }
    flows_.resize(static_cast<std::size_t>(kept - flows_.data()));
  }

  // Progressive filling, all at once where links do not wait for each other: where no flow of a
  // link can get less elsewhere, its share is final.
  void give_at_bottlenecks(StepLinks& all) {
    double* const share = share_.data();
    double* const least = least_.data();
    StepLinks::Link* const links = all.links.data();
    for (const std::uint32_t l : all.busy) {
      share[l] = links[l].share_of(links[l].open);
      least[l] = least[l] >= share[l] * (1 - kTolerance) ? share[l] : -1;
    }
    Flow* kept = flows_.data();
    for (const Flow& flow : flows_) {
      const Hops hops = flow.hops;
      double gets = share[hops[0]];
      double final = least[hops[0]];
      for (int h = 1; h < kWidth; ++h) {
        gets = std::min(gets, share[hops[h]]);
        final = std::max(final, least[hops[h]]);
      }
      if (final < gets) {
        *kept++ = flow;
        continue;
      }
      for (const std::uint32_t l : hops) {
        links[l].free -= gets;
        --links[l].open;
      }
      fixed_.push_back(flow);
      fixed_.back().left -= gets;
    }
    flows_.resize(static_cast<std::size_t>(kept - flows_.data()));
  }

  // Of a share: links whose flows could get that little less elsewhere do not wait for those.
  // Exact rounds (0) take twice as long and change makespans by less than .1 % in the mean.
  static constexpr double kTolerance = 0.08;
  std::vector<Flow> flows_;
  std::vector<Flow> fixed_;    // given their share in this step, and something left
  std::vector<double> share_;  // [links] per open flow
  std::vector<double> least_;  // [links] what one of their open flows gets at least
};

}  // namespace

std::unique_ptr<StepFlows> make_step_flows(int width) {
  switch (width) {
    case 2:
      return std::make_unique<Flows<2>>();
    case 4:
      return std::make_unique<Flows<4>>();
    case 6:
      return std::make_unique<Flows<6>>();
    case 8:
      return std::make_unique<Flows<8>>();
    case 12:
      return std::make_unique<Flows<12>>();
    default:
      break;
  }
  MOESIM_LAW(width == 24, "paths are stored in a few widths");
  return std::make_unique<Flows<24>>();
}

}  // namespace moesim
