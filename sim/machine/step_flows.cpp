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
    for (const std::uint32_t l : links.busy) links.links[l].free = links.bandwidth[l] * seconds;
    give_small_flows(links);
    give_small_flows(links);
    index(links);
    fill(links);
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
  struct Range {
    std::uint32_t first, end;  // into on_link_
  };
  struct Candidate {
    double share;
    std::uint32_t link;
  };

  // A flow with less left than any of its links gives every flow gets all of it. Shares only
  // grow by that: who is not small at first may be small then.
  void give_small_flows(StepLinks& all) {
    share_.resize(all.links.size());
    double* const share = share_.data();
    StepLinks::Link* const links = all.links.data();
    for (const std::uint32_t l : all.busy) share[l] = links[l].share_of(links[l].active);
    Flow* kept = flows_.data();
    for (const Flow& flow : flows_) {
      const double left = flow.left;
      const Hops hops = flow.hops;
      double least = share[hops[0]];
      for (int h = 1; h < kWidth; ++h) least = std::min(least, share[hops[h]]);
      if (left > least) {
        *kept++ = flow;
        continue;
      }
      for (const std::uint32_t l : hops) {
        links[l].free -= left;
        --links[l].active;
      }
    }
    flows_.resize(static_cast<std::size_t>(kept - flows_.data()));
  }

  void index(StepLinks& all) {
    open_on_.resize(all.links.size());
    std::uint32_t end = 0;
    for (const std::uint32_t l : all.busy) {
      all.links[l].open = all.links[l].active;
      open_on_[l] = {end, end};
      end += static_cast<std::uint32_t>(all.links[l].open);
    }
    on_link_.resize(end);
    Range* const open_on = open_on_.data();
    std::uint32_t* const on_link = on_link_.data();
    std::uint32_t number = 0;
    for (const Flow& flow : flows_) {
      for (const std::uint32_t l : flow.hops) on_link[open_on[l].end++] = number;
      ++number;
    }
  }

  // Progressive filling (flow_network.hpp) of what the small flows left. A link's share only
  // grows while others give: an old one is a lower bound, and the first that holds is the
  // least.
  void fill(StepLinks& all) {
    const auto later = [](const Candidate& a, const Candidate& b) {
      return a.share != b.share ? a.share > b.share : a.link > b.link;
    };
    given_.assign(flows_.size(), 0);
    open_ = flows_.size();
    heap_.clear();
    for (const std::uint32_t l : all.busy) {
      const StepLinks::Link& link = all.links[l];
      if (link.open > 0) heap_.push_back({link.share_of(link.open), l});
    }
    std::make_heap(heap_.begin(), heap_.end(), later);
    while (open_ > 0) {
      std::pop_heap(heap_.begin(), heap_.end(), later);
      const StepLinks::Link& link = all.links[heap_.back().link];
      Range& flows = open_on_[heap_.back().link];
      double& known = heap_.back().share;
      const bool holds = link.share_of(link.open) <= known * (1 + 1e-12);
      if (link.open > 0 && holds && !give(all, flows, known, true)) {
        give(all, flows, known, false);
      }
      if (link.open == 0) {
        heap_.pop_back();
      } else {
        known = link.share_of(link.open);
        std::push_heap(heap_.begin(), heap_.end(), later);
      }
    }
    std::erase_if(flows_, [](const Flow& flow) { return flow.left == 0; });
  }

  // Gives the open flows of a link their share, or, where `bounded`, only those that have less
  // left than that all of it. True when any flow was given.
  bool give(StepLinks& all, Range& range, double share, bool bounded) {
    StepLinks::Link* const links = all.links.data();
    std::uint32_t kept = range.first;
    const std::size_t before = open_;
    for (std::uint32_t i = range.first; i < range.end; ++i) {
      const std::uint32_t f = on_link_[i];
      if (given_[f] != 0) continue;
      Flow& flow = flows_[f];
      const bool ends = flow.left * (1 - 1e-12) <= share;
      if (bounded && !ends) {
        on_link_[kept++] = f;
        continue;
      }
      const double bytes = ends ? flow.left : share;
      flow.left = ends ? 0 : flow.left - share;
      const Hops hops = flow.hops;
      for (const std::uint32_t l : hops) {
        links[l].free -= bytes;
        --links[l].open;
        links[l].active -= static_cast<std::int32_t>(ends);
      }
      given_[f] = 1;
      --open_;
    }
    range.end = kept;
    return open_ < before;
  }

  std::vector<Flow> flows_;
  std::vector<double> share_;           // [links] per active flow
  std::vector<Range> open_on_;          // [links]
  std::vector<std::uint32_t> on_link_;  // flows
  std::vector<std::uint8_t> given_;     // [flows] in this step
  std::size_t open_ = 0;                // flows
  std::vector<Candidate> heap_;
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
