#include "calibrate/table.hpp"

#include <catch2/catch.hpp>

#include "calibrate/expert_points.hpp"
#include "calibrate/fit_gemm.hpp"

using namespace moesim;

namespace {
const std::string kHead =
    "# source: somebody\nsystem,framework,version,kernel_source,gemm_dtype,m,n,k,latency\n";
const std::string kExperts =
    "system,framework,version,kernel_source,moe_dtype,num_tokens,hidden_size,inter_size,topk,"
    "num_experts,moe_tp_size,moe_ep_size,distribution,latency,flag\n";
}  // namespace

TEST_CASE("A table keeps its notices and finds cells by name") {
  const Table t = Table::parse("t.csv", kHead + "h200_sxm,trtllm,1,x,bfloat16,1,2,3,0.5\n");
  CHECK(t.rows() == 1);
  CHECK(t.notices().size() == 1);
  CHECK(t.number(0, t.column("latency")) == 0.5);
  CHECK_THROWS_WITH(t.column("latencyy"), Catch::Contains("latency"));
}

TEST_CASE("Empty, ragged and truncated tables are refused with file and line") {
  CHECK_THROWS_WITH(Table::parse("e.csv", ""), Catch::Contains("e.csv"));
  CHECK_THROWS_WITH(Table::parse("h.csv", kHead), Catch::Contains("empty"));
  CHECK_THROWS_WITH(Table::parse("r.csv", kHead + "h200_sxm,trtllm,1,x,bfloat16,1,2"),
                    Catch::Contains("r.csv:3"));
}

TEST_CASE("Experts that cannot be chosen or shared out so are refused with file and line") {
  const std::string start = "h200_sxm,trtllm,1,x,bfloat16,";
  for (const char* sizes :
       {"1,2048,512,9,8,1,1", "1,2048,512,2,8,1,3", "0.5,2048,512,2,8,1,1"}) {
    const Table t = Table::parse("k.csv", kExperts + start + sizes + ",power_law_1.2,0.3,ok\n");
    CHECK_THROWS_WITH(read_expert_rows(t, "h200-sxm"), Catch::Contains("k.csv:2"));
  }
}

TEST_CASE("NaN, zero and negative times are refused with file and line") {
  for (const char* latency : {"nan", "0", "-1", "", "fast"}) {
    const Table t =
        Table::parse("b.csv", kHead + "h200_sxm,trtllm,1,x,bfloat16,1,2,3," + latency + "\n");
    CHECK_THROWS_WITH(read_gemm_rows(t, "h200-sxm"), Catch::Contains("b.csv:3"));
  }
  const Table t = Table::parse(
      "m.csv", kExperts + "h200_sxm,sglang,1,x,bfloat16,1,2048,512,8,64,1,1,balanced,-3,ok\n");
  CHECK_THROWS_WITH(read_expert_rows(t, "h200-sxm"), Catch::Contains("m.csv:2"));
}

TEST_CASE("A row above the memory's or the tensor cores' peak is impossible") {
  const auto row = [](const std::string& cells) {
    return read_expert_rows(Table::parse("m.csv", kExperts + cells + "\n"), "h200-sxm").at(0);
  };
  const Device device = *find_device("h200-sxm");
  // 256 experts x 3 x 7168 x 2048 bytes = 11.3 GB: 2.35 ms at 4.8 TB/s.
  CHECK(impossible(row("h200_sxm,s,1,k,fp8,256,7168,2048,8,256,1,1,balanced,2.9,ok"), device)
            .empty());
  CHECK(!impossible(row("h200_sxm,s,1,k,fp8,256,7168,2048,8,256,1,1,balanced,1.5,ok"), device)
             .empty());
  // 6 x 131072 x 7168 x 2048 flops = 11.5 Pflop: 5.8 ms at 1979 Tflops/s.
  CHECK(!impossible(row("h200_sxm,s,1,k,fp8,16384,7168,2048,8,256,1,1,balanced,5,ok"), device)
             .empty());
}
