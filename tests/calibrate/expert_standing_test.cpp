// Which curves may speak for others: block sizes that an engine tuned, versions, and tactics
// that a benchmark shared between shapes.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "calibrate/cost_model.hpp"
#include "calibrate/expert_model.hpp"
#include "calibrate/fit.hpp"
#include "calibrate/fit_experts.hpp"
#include "calibrate/profiles.hpp"
#include "calibrate/shared_tactics.hpp"
#include "calibrate/tuned_blocks.hpp"
#include "sim/base/files.hpp"

using namespace moesim;

namespace {

const Device kDevice = *find_device("h200-sxm");
const std::string kHead = "system,framework,kernel_source,moe_dtype,num_experts,inter_size\n";

struct Layer {
  int hidden, intermediate, experts, top_k;
};

// Every other layer has tuned block sizes; the others take 1.8 times as long once tokens
// outnumber experts.
constexpr Layer kLayers[] = {{2048, 768, 128, 8},  {4096, 1536, 128, 8}, {3072, 1024, 64, 8},
                             {6144, 2048, 128, 4}, {2560, 1280, 64, 4},  {5120, 2560, 128, 4},
                             {4096, 896, 64, 8},   {3584, 1792, 128, 8}};

bool is_tuned(std::size_t layer) { return layer % 2 == 0; }

std::vector<ExpertRow> rows_of(const Layer& layer, const std::string& engine,
                               const std::string& kernel, double slow) {
  std::vector<ExpertRow> rows;
  ExpertSection section;
  section.key.dtype = Dtype::bf16;
  section.roofline.fixed_s = 20e-6;
  const ExpertModel model(section, kDevice);
  for (double tokens = 1; tokens <= 8192; tokens *= 2) {
    ExpertRow row;
    row.key = {engine, "1", kernel, Dtype::bf16};
    row.distribution = "balanced";
    row.flag = "ok";
    row.tokens = tokens;
    row.hidden = layer.hidden;
    row.intermediate = layer.intermediate;
    row.experts = layer.experts;
    row.top_k = layer.top_k;
    const ExpertPoint point = even_point(shape_of(row), tokens, 0);
    row.seconds = model.roofline(point) * (tokens > layer.experts ? slow : 1.0);
    rows.push_back(row);
  }
  return rows;
}

std::vector<ExpertRow> triton_rows() {
  std::vector<ExpertRow> rows;
  for (std::size_t i = 0; i < std::size(kLayers); ++i) {
    for (const ExpertRow& row :
         rows_of(kLayers[i], "sglang", "triton", is_tuned(i) ? 1 : 1.8)) {
      rows.push_back(row);
    }
  }
  return rows;
}

std::vector<TunedBlocks> tuned_list() {
  std::vector<TunedBlocks> list;
  for (std::size_t i = 0; i < std::size(kLayers); ++i) {
    if (!is_tuned(i)) continue;
    list.push_back(
        {{"sglang", "", "triton", Dtype::bf16}, kLayers[i].experts, kLayers[i].intermediate});
  }
  return list;
}

// Two layers that share hidden size, width and experts on one GPU, among others of their own.
std::vector<ExpertRow> with_shared_tactics(double slow) {
  std::vector<ExpertRow> rows;
  const auto add = [&](const Layer& layer, double factor) {
    for (ExpertRow row : rows_of(layer, "trtllm", "moe_torch_flow_cutlass", 1)) {
      row.seconds *= factor;
      rows.push_back(row);
    }
  };
  for (const Layer& layer : kLayers) add(layer, 1);
  add({4096, 512, 128, 6}, 1);
  add({4096, 512, 128, 8}, slow);
  return rows;
}

const ExpertShapeCurve& curve_of(const ExpertSection& section, int width, int top_k) {
  return *std::find_if(section.curves.begin(), section.curves.end(), [&](const auto& curve) {
    return curve.intermediate == width && curve.top_k == top_k;
  });
}

}  // namespace

TEST_CASE("A layer left out is predicted as tuned or not by the engine's list alone") {
  const auto knowing = fit_expert_sections(triton_rows(), tuned_list(), kDevice);
  const auto blind = fit_expert_sections(triton_rows(), {}, kDevice);
  CHECK(knowing.at(0).tuned.size() == 4);
  CHECK(knowing.at(0).shapes_left_out.all.p90 < 0.06);
  CHECK(blind.at(0).shapes_left_out.all.p90 > 0.10);
}

TEST_CASE("A list of tuned blocks is read for its GPU, and damage is named with its line") {
  const Table table =
      Table::parse("blocks.csv", kHead +
                                     "h200_sxm,sglang,triton,bfloat16,8,14336\n"
                                     "h100_sxm,sglang,triton,bfloat16,8,7168\n");
  REQUIRE(is_tuned_blocks_table(table));
  const auto list = read_tuned_blocks(table, "h200-sxm");
  REQUIRE(list.size() == 1);
  CHECK(tuned_shapes(list, {"sglang", "0.5", "triton", Dtype::bf16}) ==
        TunedShapes{{8, 14336}});
  CHECK(tuned_shapes(list, {"vllm", "0.5", "triton", Dtype::bf16}).empty());
  CHECK(tuned_shapes(list, {"sglang", "0.5", "triton", Dtype::fp8_block}).empty());
  for (const char* width : {"", "-1", "0", "wide"}) {
    const Table damaged =
        Table::parse("b.csv", kHead + "h200_sxm,sglang,triton,bfloat16,8," + width + "\n");
    CHECK_THROWS_WITH(read_tuned_blocks(damaged, "h200-sxm"), Catch::Contains("b.csv:2"));
  }
}

TEST_CASE("A table of times with a misspelt column is no list of tuned blocks") {
  CHECK_FALSE(is_tuned_blocks_table(Table::parse(
      "t.csv",
      "system,framework,kernel_source,moe_dtype,num_tokens,num_experts,inter_size,latency_ms\n"
      "h200_sxm,sglang,triton,bfloat16,1,8,14336,0.1\n")));
}

TEST_CASE("A list of tuned blocks alone makes no profile") {
  CHECK_THROWS_WITH(fit_profile({data_folder() / "calibrate" / "tuned_blocks.csv"},
                                {"h200-sxm", "sglang", Provenance::imported}),
                    Catch::Contains("a table of expert times beside it"));
}

TEST_CASE("The shipped list is read whole") {
  const Table table = Table::read(data_folder() / "calibrate" / "tuned_blocks.csv");
  std::size_t lines = 0;
  for (const Device& device : devices()) {
    lines += read_tuned_blocks(table, std::string(device.name)).size();
  }
  CHECK(lines == static_cast<std::size_t>(table.rows()));
}

TEST_CASE("Shapes that share a file of tactics neither inform others nor judge") {
  const auto sections = fit_expert_sections(with_shared_tactics(1), {}, kDevice);
  const ExpertSection& section = sections.at(0);
  for (const ExpertShapeCurve& curve : section.curves) {
    CHECK((curve.standing == Standing::alone) == (curve.intermediate == 512));
    CHECK((curve.standing == Standing::alone) == curve.weights.empty());
  }
  CHECK(section.shapes_left_out.all.points == 14 * std::size(kLayers));
  CHECK(section.all_left_out.all.points == 14 * (std::size(kLayers) + 2));
  // SGLang's benchmark keeps no such files.
  auto others = with_shared_tactics(1);
  for (ExpertRow& row : others) row.key.engine = "sglang";
  CHECK(fit_expert_sections(others, {}, kDevice).at(0).shapes_left_out.all.points ==
        14 * (std::size(kLayers) + 2));
}

TEST_CASE("Of shapes in doubt the one that ran untuned does not price itself") {
  const auto sections = fit_expert_sections(with_shared_tactics(3), {}, kDevice);
  const ExpertSection& section = sections.at(0);
  CHECK(curve_of(section, 512, 6).standing == Standing::alone);
  CHECK(curve_of(section, 512, 8).standing == Standing::untuned);
  auto profile = std::make_shared<Profile>();
  profile->gpu = "h200-sxm";
  profile->engine = "trtllm";
  profile->experts = sections;
  const ExpertCurve curve = CostModel(profile).experts(
      {.hidden = 4096, .intermediate = 512, .experts = 128, .top_k = 8});
  const ExpertShapeCurve& wrong = curve_of(section, 512, 8);
  const ExpertPoint point = even_point(wrong, 1024, 0);
  const double time = curve.time({point.assignments, point.active, 0}).value;
  CHECK(time == Approx(interpolate(wrong, 1024) / 3).epsilon(0.15));
  CHECK(curve.estimate({point.assignments, point.active, 0}).provenance ==
        Provenance::extrapolated);
}

TEST_CASE("Where too few others are known nobody is accused") {
  // One layer beside the pair: no correction, so nothing to judge by.
  std::vector<ExpertRow> rows = with_shared_tactics(3);
  std::erase_if(rows, [](const ExpertRow& row) {
    return row.intermediate != 512 && row.intermediate != kLayers[0].intermediate;
  });
  const auto sections = fit_expert_sections(rows, {}, kDevice);
  CHECK(sections.at(0).metric.empty());
  CHECK(curve_of(sections.at(0), 512, 8).standing == Standing::alone);
}

TEST_CASE("A file's name is taken by all that begins like it") {
  // 16 experts of a layer of 128 over 8 GPUs: "..._16" also finds "..._160".
  const auto row = [](int experts, int parallel) {
    ExpertRow r;
    r.key = {"trtllm", "1", "moe_torch_flow_cutlass", Dtype::fp8};
    r.hidden = 5120;
    r.intermediate = 8192;
    r.experts = experts;
    r.top_k = 1;
    r.parallel = parallel;
    return r;
  };
  const ExpertRow rows[] = {row(128, 8), row(160, 1), row(64, 1)};
  const auto shared = share_tactics({&rows[0], &rows[1], &rows[2]});
  CHECK(shared == std::set<ExpertCase>{case_of(shape_of(rows[0]))});
}

TEST_CASE("Another version's curve prices its own shape and says nothing about others") {
  auto rows = triton_rows();
  for (ExpertRow row : rows_of({7168, 2048, 256, 8}, "sglang", "triton", 1)) {
    row.key.version = "0.9";
    row.seconds *= 1.2;
    rows.push_back(row);
  }
  const auto sections = fit_expert_sections(rows, tuned_list(), kDevice);
  const ExpertSection& section = sections.at(0);
  const auto alone = fit_expert_sections(triton_rows(), tuned_list(), kDevice);
  CHECK(section.curves.back().standing == Standing::alone);
  CHECK(section.roofline == alone.at(0).roofline);
  CHECK(section.shapes_left_out.all.p90 == alone.at(0).shapes_left_out.all.p90);
}
