// Tables that judge the fits of others.
#include "tools/network_fit/rows.hpp"
#include "tools/network_fit/shape.hpp"

namespace moesim::network_fit {
namespace {

// Low latency between nodes, as its authors have it (128 tokens, hidden 7168, top-8 of 256).
// Inside one node an H800's NVLink is of no shipped fit, and before 2025-06 it was not used.
void deepep_readme(const std::string& folder, Samples& out) {
  for (const Row& row : read_csv(folder + "/deepep_readme.csv")) {
    const int ranks = static_cast<int>(number(row, "ep"));
    if (row.at("mode") != "low_latency" || row.at("commit") != "HEAD" || ranks <= 8) continue;
    const bool dispatch = row.at("op") == "dispatch";
    const Shape shape{"h800_sxm", ranks, number(row, "tokens"), 7168, 8, 256, dispatch, 0};
    out.add(shaped(shape, Way::per_expert), "deepep_low_latency/h100_sxm", row.at("op"),
            number(row, "latency_us"), true);
  }
}

// The combine of the published union, measured by others on an NVL72: bfloat16 whatever the
// experts' dtype. Dispatch has 4-bit rows there. Milliseconds.
void trtllm_alltoall(const std::string& folder, Samples& out) {
  for (const Row& row : read_csv(folder + "/trtllm_alltoall_gb200.csv.gz")) {
    const std::string op = row.at("op_name");
    if (row.at("kernel_source") != "NVLinkOneSided" || op != "alltoall_combine") continue;
    const Shape shape{"gb200",
                      static_cast<int>(number(row, "moe_ep_size")),
                      number(row, "num_tokens"),
                      number(row, "hidden_size"),
                      static_cast<int>(number(row, "topk")),
                      number(row, "num_experts"),
                      false,
                      0};
    out.add(shaped(shape, Way::per_domain),
            "published_TRT_LLM_NVLinkOneSided_LL_HT_GB200_NVL72_NVLi/gb200", "combine",
            1e3 * number(row, "latency"), true);
  }
}

// UCCL-EP on the same EFA cards as in the published union, by another laboratory: 4,096 tokens,
// hidden 7168, top-8 of 256.
void aws_b200(const std::string& folder, Samples& out) {
  for (const Row& row : read_csv(folder + "/aws_b200_dispatch_combine_native.csv")) {
    if (row.at("backend") != "UCCL-EP" || row.at("workload") != "prefill 4096") continue;
    const Shape shape{"b200_sxm",
                      static_cast<int>(number(row, "ep_ranks")),
                      4096,
                      7168,
                      8,
                      256,
                      row.at("dtype") == "fp8",
                      4};
    out.add(shaped(shape, Way::per_domain), "published_UCCL_EP_HT_On_p6_b200_On_p/b200_sxm",
            row.at("op"), number(row, "latency_us"), true);
  }
}

}  // namespace

std::vector<Sample> read_unfitted(const std::string& folder) {
  Samples out;
  deepep_readme(folder, out);
  trtllm_alltoall(folder, out);
  aws_b200(folder, out);
  return std::move(out.list);
}

}  // namespace moesim::network_fit
