// What EPLB is worth to the slowest GPU under wide expert parallelism, against the ratios that
// the public tables hold (imbalance_kernel_ratio_trtllm_eplb are medians of the same rows).
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <iostream>
#include <map>
#include <numeric>
#include <tuple>

#include "calibrate/expert_points.hpp"
#include "calibrate/power_law.hpp"
#include "sim/placement/packing.hpp"
#include "tests/calibrate/tables.hpp"
#include "tests/calibrate/wide_ep.hpp"

using namespace moesim;
using namespace moesim::tests;

namespace {

// What the benchmark of TensorRT-LLM's experts gives its rank 0, the slowest one: the mean over
// fixed draws. With more slots than ranks to balance (EPLB) hot experts get replicas, and slots
// go heaviest first to the least loaded rank.
struct Rank0 {
  double assignments = 0, active = 0, most_loaded = 0;
  double tokens = 0;  // that chose one of its slots at least
};

// Tokens take slots column by column, the hottest slot first.
double tokens_that_reach(const std::vector<double>& slot_load, const std::vector<bool>& here,
                         std::size_t tokens) {
  std::vector<std::size_t> order(slot_load.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](auto a, auto b) { return slot_load[a] > slot_load[b]; });
  std::vector<bool> reaches(tokens);
  std::size_t at = 0;
  for (const std::size_t slot : order) {
    for (double i = 0; i < slot_load[slot]; ++i, ++at) {
      if (here[slot]) reaches[at % tokens] = true;
    }
  }
  return static_cast<double>(std::count(reaches.begin(), reaches.end(), true));
}

// Slot loads as whole numbers of the same sum: largest remainders are rounded up.
std::vector<double> whole(const std::vector<double>& loads, double sum) {
  std::vector<double> out;
  std::vector<std::size_t> order(loads.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return loads[a] - std::floor(loads[a]) > loads[b] - std::floor(loads[b]);
  });
  for (const double load : loads) out.push_back(std::floor(load));
  const double left = sum - std::accumulate(out.begin(), out.end(), 0.0);
  for (std::size_t i = 0; i < order.size() && static_cast<double>(i) < left; ++i) {
    out[order[i]] += 1;
  }
  return out;
}

Rank0 rank0_of(PowerLaw law, int slots, bool eplb) {
  constexpr int kDraws = 8;
  const int ranks = law.ranks;
  if (eplb) law.ranks = 1;  // its draw is levelled over all experts
  const std::size_t each = static_cast<std::size_t>(slots / ranks);
  Stream random(1, "rank 0");
  Rank0 mean;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<double> slot_load = draw_loads(law, random);
    if (eplb) {
      const std::vector<double> load = slot_load;
      std::vector<int> order, expert_of(load.size());
      std::iota(expert_of.begin(), expert_of.end(), 0);
      const auto count = replica_counts(load, slots, &order);
      expert_of.insert(expert_of.end(), order.begin(), order.end());
      slot_load.clear();
      for (const int e : expert_of) {
        slot_load.push_back(load[static_cast<std::size_t>(e)] /
                            count[static_cast<std::size_t>(e)]);
      }
      std::vector<double> packed;
      for (const int slot : balanced_packing(slot_load, ranks)) {
        packed.push_back(slot_load[static_cast<std::size_t>(slot)]);
      }
      slot_load = packed;
    }
    std::size_t slowest = 0;
    double most = -1;
    for (std::size_t first = 0; first < slot_load.size(); first += each) {
      const auto at = slot_load.begin() + static_cast<std::ptrdiff_t>(first);
      const double sum = std::accumulate(at, at + static_cast<std::ptrdiff_t>(each), 0.0);
      if (sum > most) slowest = first;
      most = std::max(most, sum);
    }
    if (eplb) slot_load = whole(slot_load, law.tokens * law.top_k);
    std::vector<bool> here(slot_load.size());
    Rank0 rank;
    for (std::size_t s = slowest; s < slowest + each; ++s) {
      here[s] = true;
      rank.assignments += slot_load[s];
      rank.active += slot_load[s] >= 1 ? 1 : 0;
      rank.most_loaded = std::max(rank.most_loaded, slot_load[s]);
    }
    mean.assignments += rank.assignments / kDraws;
    mean.active += rank.active / kDraws;
    mean.most_loaded += rank.most_loaded / kDraws;
    mean.tokens +=
        tokens_that_reach(slot_load, here, static_cast<std::size_t>(law.tokens)) / kDraws;
  }
  return mean;
}

// One row of wideep_moe_trtllm.
struct Row {
  PowerLaw law;
  double hidden, width, seconds, rank0_tokens;
  int slots;
  bool eplb;
  Dtype dtype;
};

std::vector<Row> rows_of(const Table& table, const std::string& gpu) {
  const auto number = [&](int row, const char* name) {
    return table.number(row, table.column(name));
  };
  std::vector<Row> rows;
  for (int i = 0; i < table.rows(); ++i) {
    const auto device = find_device(table.text(i, table.column("system")));
    if (!device || device->name != gpu) continue;
    std::string law(table.text(i, table.column("distribution")));
    const bool eplb = law.ends_with("_eplb");
    if (eplb) law.resize(law.size() - 5);
    rows.push_back({{number(i, "num_tokens"), number(i, "topk"),
                     static_cast<int>(number(i, "num_experts")),
                     static_cast<int>(number(i, "moe_ep_size")),
                     parse_number(std::string_view(law).substr(10))},
                    number(i, "hidden_size"),
                    number(i, "inter_size"),
                    number(i, "latency") * 1e-3,
                    number(i, "rank0_num_tokens"),
                    static_cast<int>(number(i, "num_slots")),
                    eplb,
                    table_dtype(table.text(i, table.column("moe_dtype")), {})});
  }
  return rows;
}

// Draws each load once: GPUs and hidden sizes share them.
class Loads {
 public:
  const Rank0& of(const Row& row) {
    const auto [found, is_new] = drawn_.try_emplace(
        {row.law.tokens, row.law.experts, row.slots, row.law.ranks, row.law.alpha, row.eplb});
    if (is_new) found->second = rank0_of(row.law, row.slots, row.eplb);
    return found->second;
  }

 private:
  std::map<std::tuple<double, int, int, int, double, bool>, Rank0> drawn_;
};

struct Timed {
  double predicted, measured;
};

Timed timed(const Row& row, const Rank0& load, Curves& curves) {
  const ExpertShape shape{.hidden = static_cast<int>(row.hidden),
                          .intermediate = static_cast<int>(row.width),
                          .experts = row.slots / row.law.ranks,
                          .top_k = static_cast<int>(row.law.top_k),
                          .dtype = row.dtype,
                          .parallel = row.law.ranks};
  return {curves.time(shape, {load.assignments, load.active, load.most_loaded}), row.seconds};
}

}  // namespace

TEST_CASE("EPLB: time without / with it on TensorRT-LLM's rank 0, within a tenth") {
  if (!tables_at_hand()) return;
  const Table table = Table::read(kTables / "wideep_moe_trtllm.csv.gz");
  Loads loads;
  for (const std::string gpu : {"h100-sxm", "h200-sxm", "b200-sxm"}) {
    Curves curves(gpu + "/trtllm");
    using Key = std::tuple<double, double, int, int, double>;
    std::map<Key, Timed> without;  // tokens, hidden, experts, EP, exponent
    std::map<Key, std::vector<Timed>> with;
    std::vector<double> reached;  // tokens of rank 0, drawn / stated
    for (const Row& row : rows_of(table, gpu)) {
      const Rank0& load = loads.of(row);
      reached.push_back(load.tokens / row.rank0_tokens);
      const Key key{row.law.tokens, row.hidden, row.law.experts, row.law.ranks, row.law.alpha};
      if (row.eplb) {
        with[key].push_back(timed(row, load, curves));
      } else {
        without[key] = timed(row, load, curves);
      }
    }
    std::vector<Ratio> all, many;
    for (const auto& [key, even] : with) {
      const auto uneven = without.find(key);
      if (uneven == without.end()) continue;
      for (const Timed& e : even) {
        const Ratio ratio{std::get<0>(key) / std::get<3>(key),
                          uneven->second.predicted / e.predicted,
                          uneven->second.measured / e.measured};
        all.push_back(ratio);
        if (ratio.tokens_per_rank > 16) many.push_back(ratio);
      }
    }
    std::cout << "wide EP with EPLB, " << gpu << ": " << all.size() << " ratios, median error "
              << 100 * median_error(all) << " %; above 16 tokens per rank "
              << 100 * median_error(many) << " %; tokens of rank 0, drawn / stated "
              << quantile(reached, 0.1) << " " << quantile(reached, 0.5) << " "
              << quantile(reached, 0.9) << "\n";
    REQUIRE(all.size() > 500);
    CHECK(quantile(reached, 0.5) == Approx(1).margin(0.03));
    CHECK(median_error(all) <= 0.10);
  }
}
