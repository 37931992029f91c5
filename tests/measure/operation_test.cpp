#include "calibrate/measure/operation.hpp"

#include <rapidcheck.h>
#include <catch2/catch.hpp>
#include <numeric>

#include "calibrate/measure/device.hpp"

using namespace moesim;

TEST_CASE("every pattern gives out tokens x top_k assignments, no expert more than tokens") {
  CHECK(rc::check([] {
    const auto experts = *rc::gen::inRange<std::int64_t>(1, 300);
    const auto top_k =
        *rc::gen::inRange<std::int64_t>(1, std::min<std::int64_t>(experts, 12) + 1);
    const auto tokens = *rc::gen::inRange<std::int64_t>(0, 3000);
    for (const ExchangePattern pattern :
         {ExchangePattern::uniform, ExchangePattern::zipf, ExchangePattern::one_hot}) {
      const auto counts = expert_counts(pattern, tokens, experts, top_k);
      RC_ASSERT(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}) ==
                tokens * top_k);
      for (const auto c : counts) RC_ASSERT(c >= 0 && c <= tokens);
    }
  }));
}

TEST_CASE("uniform counts differ by one at most, one-hot fills its expert, zipf falls") {
  CHECK(expert_counts(ExchangePattern::uniform, 3, 4, 2) ==
        std::vector<std::int64_t>{2, 2, 1, 1});
  CHECK(expert_counts(ExchangePattern::one_hot, 4, 5, 2) ==
        std::vector<std::int64_t>{4, 1, 1, 1, 1});
  const auto zipf = expert_counts(ExchangePattern::zipf, 4096, 64, 8);
  CHECK(zipf.front() == 4096);  // 4096 * 8 / H(64) = 6907, capped by its tokens
  CHECK(std::is_sorted(zipf.rbegin(), zipf.rend()));
}

TEST_CASE("a GEMM needs 2 m n k operations and its weights once") {
  Operation op;
  op.m = 64, op.n = 4096, op.k = 7168;
  op.dtype = Dtype::fp8;
  CHECK(flops_of(op).value == 2.0 * 64 * 4096 * 7168);
  CHECK(bytes_of(op).value == 4096.0 * 7168 + 64.0 * 7168 + 2.0 * 64 * 4096);
}

TEST_CASE("experts read the weights of the active ones only") {
  Operation op;
  op.kind = OpKind::experts;
  op.tokens = 2, op.hidden = 1024, op.intermediate = 512, op.experts = 32, op.top_k = 4;
  op.counts = expert_counts(ExchangePattern::uniform, 2, 32, 4);
  CHECK(active_experts(op) == 8);
  const double weights = 8 * 3 * 1024.0 * 512 * 2;
  const double activations = 4 * 8 * 1024.0 * 2;
  CHECK(bytes_of(op).value == weights + activations);
}

TEST_CASE("the driver's name of a GPU leads to the key of its tables") {
  CHECK(system_key("NVIDIA H200") == "h200_sxm");
  CHECK(system_key("NVIDIA H200 NVL") == "h200_nvl");
  CHECK(system_key("NVIDIA H100 80GB HBM3") == "h100_sxm");
  CHECK(system_key("NVIDIA GB200") == "gb200");
  CHECK(system_key("NVIDIA A100-SXM4-80GB") == "a100_sxm");
  CHECK(system_key("NVIDIA GeForce RTX 4090") == "nvidia_geforce_rtx_4090");
}
