// The best there is, for small cases: a mixed-integer program per layer, solved by CBC.
//   minimise M  subject to, for experts e and GPUs g,
//   sum_g y(e,g) = w_e,  y(e,g) <= w_e x(e,g),  sum_e y(e,g) <= M speed_g,
//   sum_e x(e,g) <= slots per GPU,  sum_g x(e,g) >= 1,  x binary
// y is how `lp` dispatch would split the load: no strategy with any dispatch has a less busy
// GPU. Slots left over take the hottest experts that their GPU does not have.
#include <coin/Cbc_C_Interface.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>

#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/placement/strategies/strategies.hpp"

namespace moesim::strategies {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

constexpr int kMostBinaries = 96;  // experts x GPUs; beyond, minutes
// Of the search tree, so that hard cases end, and end alike everywhere; some ten seconds.
constexpr const char* kMostNodes = "20000";

// Columns: x(e,g), y(e,g), M. Rows: experts, couplings, loads, slots, cover.
class Program {
 public:
  Program(const PlacementProblem& p, std::span<const double> load)
      : p_(p), load_(load), cells_(p.experts * p.gpus) {
    scale_ = std::accumulate(load.begin(), load.end(), 0.0) / p.gpus;
    if (scale_ <= 0) scale_ = 1;
    for (int e = 0; e < p.experts; ++e) {
      for (int g = 0; g < p.gpus; ++g) add_x(e, g);
    }
    for (int e = 0; e < p.experts; ++e) {
      for (int g = 0; g < p.gpus; ++g) add_y(e, g);
    }
    add_m();
  }

  // [experts * gpus] whether the expert is on the GPU.
  std::vector<char> solve() {
    const std::unique_ptr<Cbc_Model, void (*)(Cbc_Model*)> model(Cbc_newModel(),
                                                                 Cbc_deleteModel);
    const int rows = 2 * p_.experts + cells_ + 2 * p_.gpus;
    std::vector<double> low(z(rows), -std::numeric_limits<double>::infinity());
    std::vector<double> high(z(rows), 0.0);
    for (int e = 0; e < p_.experts; ++e) low[z(e)] = high[z(e)] = load_[z(e)] / scale_;
    for (int g = 0; g < p_.gpus; ++g) high[z(slot_row(g))] = p_.slots_per_gpu();
    for (int e = 0; e < p_.experts; ++e) {
      low[z(cover_row(e))] = 1;
      high[z(cover_row(e))] = p_.gpus;
    }
    begin_.push_back(static_cast<CoinBigIndex>(row_.size()));
    const auto columns = z(2 * cells_ + 1);
    std::vector<double> least(columns, 0.0);
    std::vector<double> most(columns, std::numeric_limits<double>::infinity());
    std::fill(most.begin(), most.begin() + cells_, 1.0);
    std::vector<double> cost(columns, 0.0);
    cost.back() = 1;
    Cbc_loadProblem(model.get(), static_cast<int>(columns), rows, begin_.data(), row_.data(),
                    value_.data(), least.data(), most.data(), cost.data(), low.data(),
                    high.data());
    for (int c = 0; c < cells_; ++c) Cbc_setInteger(model.get(), c);
    const auto settings = {std::pair{"log", "0"}, {"ratio", "1e-6"}, {"maxNodes", kMostNodes}};
    for (const auto& [name, value] : settings) {
      Cbc_setParameter(model.get(), name, value);
    }
    Cbc_solve(model.get());
    if (Cbc_isProvenOptimal(model.get()) == 0) {
      throw InputError(
          fmt::format("strategy 'optimal': {} experts in {} slots on {} GPUs are too hard; CBC "
                      "proved nothing within {} nodes",
                      p_.experts, p_.slots, p_.gpus, kMostNodes),
          "fewer GPUs or experts", "hypergraph or eplb_global");
    }
    const double* solution = Cbc_getColSolution(model.get());
    std::vector<char> on(z(cells_));
    for (int c = 0; c < cells_; ++c) on[z(c)] = solution[c] > 0.5;
    return on;
  }

 private:
  [[nodiscard]] int cell(int e, int g) const { return e * p_.gpus + g; }
  [[nodiscard]] int coupling_row(int e, int g) const { return p_.experts + cell(e, g); }
  [[nodiscard]] int load_row(int g) const { return p_.experts + cells_ + g; }
  [[nodiscard]] int slot_row(int g) const { return p_.experts + cells_ + p_.gpus + g; }
  [[nodiscard]] int cover_row(int e) const { return p_.experts + cells_ + 2 * p_.gpus + e; }

  void entry(int row, double value) {
    row_.push_back(row);
    value_.push_back(value);
  }
  void column() { begin_.push_back(static_cast<CoinBigIndex>(row_.size())); }

  void add_x(int e, int g) {
    column();
    entry(coupling_row(e, g), -std::max(load_[z(e)] / scale_, 0.0));
    entry(slot_row(g), 1);
    entry(cover_row(e), 1);
  }
  void add_y(int e, int g) {
    column();
    entry(e, 1);
    entry(coupling_row(e, g), 1);
    entry(load_row(g), 1);
  }
  void add_m() {
    column();
    for (int g = 0; g < p_.gpus; ++g) entry(load_row(g), -p_.speed(g));
  }

  const PlacementProblem& p_;
  std::span<const double> load_;
  int cells_;
  double scale_;  // loads are given to CBC in mean GPU loads
  std::vector<CoinBigIndex> begin_;
  std::vector<int> row_;
  std::vector<double> value_;
};

std::vector<int> fill(const PlacementProblem& p, std::span<const double> load,
                      const std::vector<char>& on) {
  std::vector<std::vector<int>> gpus(z(p.gpus));
  for (int e = 0; e < p.experts; ++e) {
    for (int g = 0; g < p.gpus; ++g) {
      if (on[z(e * p.gpus + g)]) gpus[z(g)].push_back(e);
    }
  }
  const auto has_room = [&](const auto& gpu) {
    return static_cast<int>(gpu.size()) < p.slots_per_gpu();
  };
  std::vector<int> by_load(z(p.experts));
  std::iota(by_load.begin(), by_load.end(), 0);
  std::ranges::stable_sort(by_load, [&](int a, int b) { return load[z(a)] > load[z(b)]; });
  std::vector<int> map;
  for (auto& gpu : gpus) {
    for (const int e : by_load) {
      if (has_room(gpu) && std::ranges::find(gpu, e) == gpu.end()) gpu.push_back(e);
    }
    while (has_room(gpu)) gpu.push_back(by_load.front());
    map.insert(map.end(), gpu.begin(), gpu.end());
  }
  return map;
}

}  // namespace

Placement optimal(const PlacementProblem& p, const PlacementOptions&) {
  if (p.experts * p.gpus > kMostBinaries) {
    throw InputError(fmt::format("strategy 'optimal' with {} experts on {} GPUs is too large",
                                 p.experts, p.gpus),
                     fmt::format("experts x GPUs of at most {}", kMostBinaries),
                     "hypergraph or eplb_global");
  }
  std::vector<int> map;
  for (int l = 0; l < p.layers; ++l) {
    const auto load = p.layer_weights(l);
    const auto layer = fill(p, load, Program(p, load).solve());
    map.insert(map.end(), layer.begin(), layer.end());
  }
  return uniform_placement(p.layers, p.experts, p.slots, p.nodes, p.gpus, std::move(map));
}

}  // namespace moesim::strategies
