// Wide expert parallelism: what uneven loads cost on the most loaded GPU, against the ratios
// that the public tables hold (imbalance_kernel_ratio_* are medians of the same rows).
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <numeric>
#include <tuple>

#include "calibrate/cost_model.hpp"
#include "calibrate/expert_model.hpp"
#include "calibrate/fit_experts.hpp"
#include "calibrate/power_law.hpp"
#include "calibrate/profiles.hpp"
#include "sim/placement/packing.hpp"
#include "tests/calibrate/tables.hpp"

using namespace moesim;
using namespace moesim::tests;
namespace fs = std::filesystem;

namespace {

struct Ratio {
  double tokens_per_rank, predicted, measured;
};

double median_error(const std::vector<Ratio>& ratios) {
  std::vector<double> errors;
  for (const Ratio& r : ratios) errors.push_back(std::abs(r.predicted / r.measured - 1));
  return quantile(std::move(errors), 0.5);
}

double exponent_of(const ExpertRow& row) {
  return parse_number(std::string_view(row.distribution).substr(10));
}

RankLoad most_loaded_rank(const ExpertRow& row) {
  return power_law_load({row.tokens, static_cast<double>(row.top_k), row.experts, row.parallel,
                         exponent_of(row)});
}

// The rows of one GPU and of the table's newest version.
std::vector<ExpertRow> newest_rows(const char* table, const Device& device) {
  auto rows = read_expert_rows(Table::read(kTables / table), std::string(device.name));
  std::erase_if(rows, [](const ExpertRow& row) { return row.key.version != "0.5.10"; });
  return rows;
}

// Prints and checks the bar: a tenth, and 1 where no rank has more than 16 tokens.
void check_ratios(const std::string& what, const std::vector<Ratio>& ratios) {
  REQUIRE(ratios.size() > 200);
  std::vector<double> small;
  for (const Ratio& r : ratios) {
    if (r.tokens_per_rank <= 16) small.push_back(r.predicted / r.measured);
  }
  std::cout << what << ": " << ratios.size() << " ratios, median error "
            << 100 * median_error(ratios) << " %; predicted / measured with 16 tokens per rank "
            << "or fewer (" << small.size() << ") " << quantile(small, 0.5) << "\n";
  INFO(what);
  CHECK(median_error(ratios) <= 0.10);
  CHECK(quantile(small, 0.5) == Approx(1).margin(0.1));
}

// The benchmark of prefill (collect_deepep_moe.py beside the law of power_law.hpp) adds to the
// experts' own time what no engine does: it launches from the host, and its scatter and gather
// pass over all tokens of all ranks. Three numbers for that, fitted to its even rows.
struct PrefillBench {
  double host = 0;   // s, no row is faster
  double fixed = 0;  // s on the GPU
  double share = 1;  // of the memory's peak while passing over the tokens

  // A token: read in fp8 with a scale per 128, written in bf16.
  [[nodiscard]] double time(double experts, double tokens, double hidden,
                            const Device& device) const {
    const double bytes = tokens * hidden * (1 + 4.0 / 128 + 2);
    return std::max(host, fixed + experts + bytes / (share * device.memory_bandwidth.value));
  }
};

struct PrefillRow {
  const ExpertRow* row;
  double experts;  // s, as the profile's own curve says
};

// A coordinate search on sum |log(model / measured)|.
PrefillBench fit_bench(const std::vector<PrefillRow>& even, const Device& device) {
  const auto loss = [&](const PrefillBench& bench) {
    double sum = 0;
    for (const auto& [row, experts] : even) {
      sum += std::abs(
          std::log(bench.time(experts, row->tokens, row->hidden, device) / row->seconds));
    }
    return sum;
  };
  PrefillBench best{3e-4, 1e-4, 0.7};
  double least = loss(best);
  for (double step = 0.3; step > 0.002; step /= 2) {
    for (bool better = true; better;) {
      better = false;
      for (double PrefillBench::*number :
           {&PrefillBench::host, &PrefillBench::fixed, &PrefillBench::share}) {
        for (const double factor : {1 + step, 1 / (1 + step)}) {
          PrefillBench next = best;
          next.*number *= factor;
          if (loss(next) >= least) continue;
          best = next;
          least = loss(next);
          better = true;
        }
      }
    }
  }
  return best;
}

// Expert kernels by a shipped profile, one curve per parallelism.
class Curves {
 public:
  explicit Curves(const std::string& profile) : costs_(load_profile(profile)) {}

  double time(const ExpertShape& shape, const ExpertLoad& load) {
    const auto key = std::tuple{shape.hidden, shape.experts, shape.parallel};
    auto found = curves_.find(key);
    if (found == curves_.end()) found = curves_.emplace(key, costs_.experts(shape)).first;
    return found->second.time(load).value;
  }

 private:
  CostModel costs_;
  std::map<std::tuple<int, int, int>, ExpertCurve> curves_;
};

ExpertShape shape_on_rank(const ExpertRow& row) {
  return {.hidden = row.hidden,
          .intermediate = row.intermediate,
          .experts = row.experts / row.parallel,
          .top_k = row.top_k,
          .dtype = row.key.dtype,
          .parallel = row.parallel};
}

}  // namespace

TEST_CASE("A drawn load has all assignments, none above the tokens, as the law says") {
  Stream random(7, "power law");
  for (const double tokens : {1.0, 7.0, 64.0, 5000.0}) {
    for (const auto& [experts, ranks] :
         {std::pair{256, 1}, {256, 32}, {256, 256}, {8, 8}, {8, 2}}) {
      for (const double alpha : {0.6, 1.0, 1.2}) {
        for (int draw = 0; draw < 20; ++draw) {
          const auto loads = draw_loads({tokens, 8, experts, ranks, alpha}, random);
          double sum = 0, most = 0;
          for (const double load : loads) {
            REQUIRE(load == std::floor(load));
            REQUIRE(load >= 0);
            sum += load;
            most = std::max(most, load);
          }
          REQUIRE(sum == 8 * tokens);
          REQUIRE(most <= tokens);
        }
      }
    }
  }
}

TEST_CASE("The power law is continuous in its exponent, through one") {
  const auto most = [](double alpha) {
    return power_law_load({1024, 8, 256, 1, alpha}).most_loaded;
  };
  CHECK(most(1) == Approx(most(1.001)).epsilon(0.02));
  CHECK(most(1) == Approx(most(0.999)).epsilon(0.02));
}

TEST_CASE("Decode: most loaded rank over even load, within a tenth, 1 at few tokens") {
  // The model is fitted to the even rows alone.
  if (!tables_at_hand()) return;
  for (const char* gpu : {"h100-sxm", "h200-sxm", "b200-sxm"}) {
    const Device device = *find_device(gpu);
    auto rows = newest_rows("wideep_moe_sglang_decode.csv.gz", device);
    std::erase_if(rows, [&](const ExpertRow& row) { return !impossible(row, device).empty(); });
    const auto sections = fit_expert_sections(rows, {}, device);
    const ExpertModel model(sections.at(0), device);
    std::map<std::tuple<double, int>, double> even_rows;
    for (const ExpertRow& row : rows) {
      if (row.distribution == "balanced") even_rows[{row.tokens, row.parallel}] = row.seconds;
    }
    std::vector<Ratio> ratios;
    for (const ExpertRow& row : rows) {
      const auto even_row = even_rows.find({row.tokens, row.parallel});
      if (row.distribution == "balanced" || even_row == even_rows.end()) continue;
      const RankLoad load = most_loaded_rank(row);
      const ExpertPoint even = even_point(shape_of(row), row.tokens, 0);
      ExpertPoint most = even;
      most.assignments = load.assignments;
      most.active = load.active;
      ratios.push_back({row.tokens / row.parallel, model.predict(most) / model.predict(even),
                        row.seconds / even_row->second});
    }
    check_ratios(std::string("wide EP decode, ") + gpu, ratios);
    std::vector<double> small;  // an expert costs the reading of its weights
    for (const Ratio& r : ratios) {
      if (r.tokens_per_rank <= 16) small.push_back(r.predicted);
    }
    CHECK(quantile(small, 0.5) == Approx(1).margin(0.1));
  }
}

TEST_CASE("Prefill: most loaded rank over even load, within a tenth") {
  // Experts by the shipped profile, which was fitted to decode only. Blocks of 128 rows: an
  // even row of fewer per expert has whole blocks of some experts, since that benchmark pads
  // uneven loads alone.
  if (!tables_at_hand()) return;
  for (const std::string gpu : {"h100-sxm", "h200-sxm", "b200-sxm"}) {
    const Device device = *find_device(gpu);
    const auto rows = newest_rows("wideep_moe_sglang_prefill.csv.gz", device);
    Curves curves(gpu + "/sglang");
    std::vector<PrefillRow> even;
    for (const ExpertRow& row : rows) {
      if (row.distribution != "balanced") continue;
      const ExpertShape shape = shape_on_rank(row);
      const double rows_each = std::floor(row.tokens * row.top_k / row.experts);
      const double blocks = std::ceil(rows_each * shape.experts / 128);
      even.push_back({&row, curves.time(shape, {128 * blocks,
                                                std::min<double>(shape.experts, blocks), 0})});
    }
    const PrefillBench bench = fit_bench(even, device);
    std::map<std::tuple<double, int>, Ratio> even_rows;
    for (const auto& [row, experts] : even) {
      even_rows[{row->tokens, row->parallel}] = {
          0, bench.time(experts, row->tokens, row->hidden, device), row->seconds};
    }
    std::vector<Ratio> ratios;
    for (const ExpertRow& row : rows) {
      const auto uniform = even_rows.find({row.tokens, row.parallel});
      if (row.distribution == "balanced" || uniform == even_rows.end()) continue;
      const RankLoad load = most_loaded_rank(row);
      const double experts =
          curves.time(shape_on_rank(row), {load.assignments, load.active, load.most_loaded});
      const double predicted = bench.time(experts, row.tokens, row.hidden, device);
      ratios.push_back({row.tokens / row.parallel, predicted / uniform->second.predicted,
                        row.seconds / uniform->second.measured});
    }
    check_ratios("wide EP prefill, " + gpu, ratios);
  }
}

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

}  // namespace

TEST_CASE("EPLB: time without / with it on TensorRT-LLM's rank 0, within a tenth") {
  if (!tables_at_hand()) return;
  const Table table = Table::read(kTables / "wideep_moe_trtllm.csv.gz");
  const auto number = [&](int row, const char* name) {
    return table.number(row, table.column(name));
  };
  using Draw = std::tuple<double, int, int, int, double, bool>;  // tokens ... EPLB
  std::map<Draw, Rank0> drawn;
  for (const std::string gpu : {"h100-sxm", "h200-sxm", "b200-sxm"}) {
    Curves curves(gpu + "/trtllm");
    using Key = std::tuple<double, double, double, double, std::string>;
    struct Timed {
      double predicted, measured;
    };
    std::map<Key, Timed> without;  // tokens, hidden, experts, EP, law
    std::map<Key, std::vector<Timed>> with;
    std::vector<double> reached;  // tokens of rank 0, drawn / stated
    for (int row = 0; row < table.rows(); ++row) {
      const auto device = find_device(table.text(row, table.column("system")));
      if (!device || device->name != gpu) continue;
      std::string law(table.text(row, table.column("distribution")));
      const bool eplb = law.ends_with("_eplb");
      if (eplb) law.resize(law.size() - 5);
      const double alpha = parse_number(std::string_view(law).substr(10));
      const double tokens = number(row, "num_tokens"), hidden = number(row, "hidden_size");
      const int top_k = static_cast<int>(number(row, "topk")),
                experts = static_cast<int>(number(row, "num_experts")),
                slots = static_cast<int>(number(row, "num_slots")),
                ranks = static_cast<int>(number(row, "moe_ep_size"));
      const auto [found, is_new] =
          drawn.try_emplace({tokens, experts, slots, ranks, alpha, eplb});
      if (is_new) {
        found->second =
            rank0_of({tokens, static_cast<double>(top_k), experts, ranks, alpha}, slots, eplb);
      }
      const Rank0& load = found->second;
      reached.push_back(load.tokens / number(row, "rank0_num_tokens"));
      const ExpertShape shape{
          .hidden = static_cast<int>(hidden),
          .intermediate = static_cast<int>(number(row, "inter_size")),
          .experts = slots / ranks,
          .top_k = top_k,
          .dtype = table_dtype(table.text(row, table.column("moe_dtype")), {}),
          .parallel = ranks};
      const Timed timed{curves.time(shape, {load.assignments, load.active, load.most_loaded}),
                        number(row, "latency") * 1e-3};
      const Key key{tokens, hidden, experts, ranks, law};
      if (eplb) {
        with[key].push_back(timed);
      } else {
        without[key] = timed;
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
