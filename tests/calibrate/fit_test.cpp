// The fit on points whose truth is known, and on the public tables where they are at hand.
#include "calibrate/fit.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <iostream>

#include "calibrate/cost_model.hpp"
#include "calibrate/fit_experts.hpp"
#include "calibrate/fit_roofline.hpp"
#include "calibrate/profiles.hpp"
#include "calibrate/tabulate.hpp"
#include "calibrate/tuned_blocks.hpp"
#include "sim/base/files.hpp"
#include "tests/calibrate/tables.hpp"

using namespace moesim;
using namespace moesim::tests;
namespace fs = std::filesystem;

namespace {

std::vector<ExpertRow> usable_rows(const std::string& gpu, const std::string& engine) {
  std::string file = gpu;
  std::replace(file.begin(), file.end(), '-', '_');
  const Table table = Table::read(kTables / ("moe_" + file + ".csv.gz"));
  const Device device = *find_device(gpu);
  auto rows = read_expert_rows(table, gpu);
  std::erase_if(rows, [&](const ExpertRow& row) {
    return row.key.engine != engine || !usable_flag(row) ||
           (row.parallel > 1 && engine != "trtllm") || !impossible(row, device).empty();
  });
  return rows;
}

}  // namespace

TEST_CASE("The six parameters are found again from exact points") {
  // T = t0 + ((F / P)^p + (W / BW)^p)^(1/p) + A / BW_a
  const Roofline truth{30e-6, 0.7, 0.85, 40, 3, 0.6};
  const double flops = 1e15, bandwidth = 4e12;
  std::vector<RooflinePoint> points;
  for (const double hidden : {2048.0, 4096.0, 7168.0}) {
    for (double tokens = 1; tokens < 2e4; tokens *= 2) {
      const auto work =
          expert_work(8 * tokens, std::min(256.0, 8 * tokens), hidden, hidden / 4, 2, 2, true);
      points.push_back({work, roofline_time(truth, work, flops, bandwidth)});
    }
  }
  const Roofline found = fit_roofline(points, flops, bandwidth);
  for (const RooflinePoint& point : points) {
    CHECK(roofline_time(found, point.work, flops, bandwidth) ==
          Approx(point.seconds).epsilon(0.003));
  }
  CHECK(found.fixed_s == Approx(truth.fixed_s).epsilon(0.02));
  CHECK(found.bandwidth == Approx(truth.bandwidth).epsilon(0.02));
}

TEST_CASE("A tenth of wild rows hardly moves the fit") {
  const Roofline truth{20e-6, 0.6, 0.8, 30, 2, 0.7};
  std::vector<RooflinePoint> points;
  for (int i = 0; i < 200; ++i) {
    const double tokens = std::exp2(0.07 * i);
    const auto work =
        expert_work(8 * tokens, std::min(128.0, 8 * tokens), 4096, 1536, 2, 2, true);
    const double wild = i % 10 == 0 ? 5 : 1;
    points.push_back({work, wild * roofline_time(truth, work, 1e15, 4e12)});
  }
  const Roofline found = fit_roofline(points, 1e15, 4e12);
  for (int i = 1; i < 200; i += 10) {
    const auto& point = points[static_cast<std::size_t>(i)];
    CHECK(roofline_time(found, point.work, 1e15, 4e12) == Approx(point.seconds).epsilon(0.05));
  }
}

TEST_CASE("Levelling keeps a rising sequence and pools what falls") {
  std::vector<double> rising{1, 2, 3}, falling{1, 4, 1, 8};
  make_nondecreasing(rising, 0, 1, 3);
  make_nondecreasing(falling, 0, 1, 4);
  CHECK(rising[1] == Approx(2));
  CHECK(falling[1] == Approx(2));  // the geometric mean of 4 and 1
  CHECK(falling[2] == Approx(2));
  CHECK(falling[3] == Approx(8));
}

TEST_CASE("The physics check finds the rows that are known to be wrong") {
  if (!tables_at_hand()) return;
  const Table table = Table::read(kTables / "moe_h200_sxm.csv.gz");
  const Device device = *find_device("h200-sxm");
  int half_active = 0, as_half = 0, ok = 0, ok_rejected = 0;
  for (ExpertRow row : read_expert_rows(table, "h200-sxm")) {
    const bool wrong = !impossible(row, device).empty();
    if (row.most_active > 0) {
      as_half += wrong ? 1 : 0;
      row.most_active = 0;  // as the row says of itself: all experts
      half_active += impossible(row, device).empty() ? 0 : 1;
    }
    ok += row.flag == "ok" ? 1 : 0;
    ok_rejected += row.flag == "ok" && wrong ? 1 : 0;
  }
  CHECK(half_active > 10);
  CHECK(as_half == 0);
  CHECK(ok_rejected < 0.001 * ok);
}

TEST_CASE("A refit from the tables gives the shipped sections and their held-out errors") {
  if (!tables_at_hand()) return;
  for (const char* gpu : {"h100-sxm", "h200-sxm"}) {
    const auto blocks =
        read_tuned_blocks(Table::read(data_folder() / "calibrate" / "tuned_blocks.csv"), gpu);
    const auto sections =
        fit_expert_sections(usable_rows(gpu, "sglang"), blocks, *find_device(gpu));
    const auto shipped = load_profile(std::string(gpu) + "/sglang");
    for (const ExpertSection& section : sections) {
      const auto same = std::find_if(shipped->experts.begin(), shipped->experts.end(),
                                     [&](const ExpertSection& s) {
                                       return s.key == section.key && s.gated == section.gated;
                                     });
      REQUIRE(same != shipped->experts.end());
      CHECK(same->metric == section.metric);
      CHECK(same->tuned == section.tuned);
      CHECK(same->curves.size() == section.curves.size());
      CHECK(std::abs(same->shapes_left_out.all.median - section.shapes_left_out.all.median) <
            1e-4);
      CHECK(std::abs(same->shapes_left_out.all.p90 - section.shapes_left_out.all.p90) < 1e-4);
    }
  }
}

TEST_CASE("Shapes left out: errors are never worse than the yardstick's nearest neighbours") {
  if (!tables_at_hand()) return;
  const Table yardstick = Table::read(kTables / "fit_results_moe_refined.csv");
  const auto cell = [&](int row, const char* name) {
    return std::string(yardstick.text(row, yardstick.column(name)));
  };
  for (int row = 0; row < yardstick.rows(); ++row) {
    const Device device = *find_device(cell(row, "system"));
    const auto profile = load_profile(std::string(device.name) + "/" + cell(row, "framework"));
    const Dtype dtype = table_dtype(cell(row, "dtype"), {});
    const ExpertSection* best = nullptr;  // the kernel that most shapes use
    for (const ExpertSection& s : profile->experts) {
      if (s.gated && s.key.dtype == dtype && s.shapes_left_out.all.points > 0 &&
          s.key.kernel.find(cell(row, "kern")) != std::string::npos &&
          (best == nullptr ||
           s.shapes_left_out.all.points > best->shapes_left_out.all.points)) {
        best = &s;
      }
    }
    REQUIRE(best != nullptr);
    const double median = yardstick.number(row, yardstick.column("loo_knn_med"));
    const double p90 = yardstick.number(row, yardstick.column("loo_knn_p90"));
    const ErrorSummary& ours = best->shapes_left_out.all;
    INFO(device.name << " " << best->key.engine << " " << best->key.kernel << " median "
                     << ours.median << " against " << median << ", p90 " << ours.p90
                     << " against " << p90);
    CHECK(ours.median <= median);
    CHECK(ours.p90 <= p90);
  }
}

TEST_CASE("Shapes left out: most main sections are within 2 % (median) and 10 % (p90)") {
  // Gated experts of H100, H200 and B200 in fp8, fp8_block and bf16, each kernel under the
  // engine that it was timed in. The rest is printed: see calibrate/README.md for what is known
  // of its causes.
  int sections = 0, within = 0, with_all = 0;
  for (const std::string gpu : {"h100-sxm", "h200-sxm", "b200-sxm"}) {
    for (const char* engine : {"sglang", "trtllm", "vllm"}) {
      const auto profile = load_profile(gpu + "/" + engine);
      for (const ExpertSection& s : profile->experts) {
        const bool main = s.key.dtype == Dtype::fp8 || s.key.dtype == Dtype::fp8_block ||
                          s.key.dtype == Dtype::bf16;
        const ErrorSummary& error = s.shapes_left_out.all;
        if (!main || !s.gated || error.points < 100 || s.key.engine != engine) continue;
        ++sections;
        const ErrorSummary& all = s.all_left_out.all;
        with_all += all.median <= 0.02 && all.p90 <= 0.10 ? 1 : 0;
        if (error.median <= 0.02 && error.p90 <= 0.10) {
          ++within;
          continue;
        }
        std::cout << "above the bar: " << gpu << " " << s.key.kernel << " "
                  << to_text(s.key.dtype) << ": median " << 100 * error.median << " %, p90 "
                  << 100 * error.p90 << " %\n";
      }
    }
  }
  std::cout << within << " of " << sections << " main sections are within the bar, " << with_all
            << " when curves that inform no others judge too\n";
  CHECK(sections == 27);
  CHECK(within >= 19);
  CHECK(with_all >= 17);
}

TEST_CASE("Points left out: dense tables of attention and GEMMs are within 5 % and 15 %") {
  // Tables of 5,000 points and more; A100's and L40S's GEMMs and L40S's attention are short of
  // it (calibrate/README.md), which is printed like the small tables that are.
  int dense = 0;
  for (const std::string gpu :
       {"h100-sxm", "h200-sxm", "b200-sxm", "gb200", "a100-sxm", "l40s"}) {
    const bool known_short = gpu == "a100-sxm" || gpu == "l40s";
    const auto profile = load_profile(gpu + "/vllm");
    const auto check = [&](const KernelKey& key, const ErrorSummary& error) {
      const bool within = error.median <= 0.05 && error.p90 <= 0.15;
      if (!within) {
        std::cout << "above the bar: " << gpu << " " << key.kernel << " " << to_text(key.dtype)
                  << ", " << error.points << " points: median " << 100 * error.median
                  << " %, p90 " << 100 * error.p90 << " %\n";
      }
      if (error.points < 5000) return;
      INFO(gpu << " " << key.kernel << " " << to_text(key.dtype));
      if (known_short) {
        CHECK_NOFAIL(within);
        return;
      }
      ++dense;
      CHECK(within);
    };
    for (const GemmSection& s : profile->gemms) check(s.key, s.points_left_out.all);
    for (const AttentionSection& s : profile->attention) check(s.key, s.points_left_out.all);
  }
  CHECK(dense >= 28);
}

TEST_CASE("A launch that the host held up prices no prompt") {
  // max(100 us, .1 us x batch x tokens), but 900 us at one small size: launches were timed.
  std::string table =
      "system,framework,version,kernel_source,mla_dtype,kv_cache_dtype,num_heads,batch_size,"
      "isl,"
      "step,latency\n";
  for (const int batch : {1, 2, 4, 8}) {
    for (const int tokens : {16, 64, 256, 1024, 4096, 16384}) {
      const bool held_up = batch == 2 && tokens == 64;
      const double us = held_up ? 900 : std::max(100.0, 0.1 * batch * tokens);
      table += "h200_sxm,vllm,1,fa,bfloat16,bfloat16,64," + std::to_string(batch) + "," +
               std::to_string(tokens) + ",0," + std::to_string(us * 1e-3) + "\n";
    }
  }
  const fs::path file = fs::temp_directory_path() / "moesim_fit_test_mla.csv";
  write_file(file, table);
  const Fit fit = fit_profile({file}, {"h200-sxm", "vllm", Provenance::imported});
  REQUIRE(fit.profile.attention.size() == 1);
  const AttentionCurveData& curve = fit.profile.attention[0].curves.at(0);
  CHECK(std::none_of(curve.seconds.begin(), curve.seconds.end(),
                     [](double s) { return std::abs(s - 900e-6) < 1e-9; }));
  CHECK(std::any_of(fit.profile.notes.begin(), fit.profile.notes.end(), [](const auto& note) {
    return note.find("longer than larger ones") != std::string::npos;
  }));
}

TEST_CASE(
    "SGLang's MLA prefill and its projections are what its whole attention module takes") {
  // The module at 16,384 tokens and 128 heads on H200: 21.0 ms (wideep_context_mla). The table
  // of the kernel alone says 62.8: the absorbed kernel, which a fit must reject.
  if (!tables_at_hand()) return;
  const CostModel costs(load_profile("h200-sxm/sglang"));
  AttentionConfig config;
  config.kind = AttentionConfig::Kind::mla;
  config.heads = 128;
  config.kv_lora_rank = 512;
  config.rope_dim = 64;
  config.nope_dim = config.v_dim = 128;
  const AttentionCurve core = costs.attention(config);
  const Table table = Table::read(kTables / "wideep_context_mla.csv.gz");
  int rows = 0;
  for (int row = 0; row < table.rows(); ++row) {
    const double tokens = table.number(row, table.column("isl"));
    if (table.text(row, table.column("system")) != "h200_sxm" ||
        table.number(row, table.column("num_heads")) != 128 ||
        table.number(row, table.column("batch_size")) != 1 || tokens < 4096) {
      continue;
    }
    double module = core.prefill(tokens, 0).value;
    for (const auto& [n, k] : {std::pair{2112.0, 7168.0},
                               {128 * 192.0, 1536.0},
                               {128 * 256.0, 512.0},
                               {7168.0, 128 * 128.0}}) {
      module += costs.gemm(n, k, Dtype::fp8_block).time(tokens).value;
    }
    const double measured = table.number(row, table.column("latency")) * 1e-3;
    UNSCOPED_INFO(tokens << " tokens: " << module << " s against " << measured);
    const double error = std::abs(module / measured - 1);
    // Long prompts are attention; in short ones the module overlaps what is summed here.
    CHECK(error < (tokens >= 16384 ? 0.10 : 0.25));
    ++rows;
  }
  CHECK(rows > 0);
}
