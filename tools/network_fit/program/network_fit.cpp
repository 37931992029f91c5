// network_fit TABLES OUT: fits every transport in the folder TABLES and writes transports.csv
// and collectives.csv into the folder OUT; errors go to standard error.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "tools/network_fit/curves.hpp"
#include "tools/network_fit/fit.hpp"
#include "sim/base/files.hpp"

namespace {

const std::string kTransportNotice =
    "# Fitted by network_fit; the formula is in sim/machine/transport_fit.hpp. Errors are on "
    "held-out\n"
    "# points. Sources: ai-dynamo/aiconfigurator @095f58a5 (Apache-2.0, NVIDIA): deepep_*;\n"
    "# deepseek-ai/DeepEP hybrid-ep @94a9f8f6 (MIT): hybrid_ep*; published_*: "
    "ppl-ai/pplx-kernels\n"
    "# @12cecfd (MIT), perplexityai/pplx-garden @2446003 (MIT), uccl-project/uccl @da914a20,\n"
    "# NVIDIA/TensorRT-LLM @22de8b34 (Apache-2.0), flashinfer-ai/flashinfer @fb28d724 "
    "(Apache-2.0).\n";
const std::string kCurveNotice =
    "# Every second size of tables measured by ai-dynamo/aiconfigurator @095f58a5 "
    "(Apache-2.0,\n"
    "# NVIDIA): NCCL in half precision and SGLang's custom all-reduce in CUDA graphs, one "
    "node.\n";

}  // namespace

int main(int argc, char** argv) {
  using namespace moesim;
  if (argc != 3) {
    std::fputs("usage: network_fit FOLDER_OF_TABLES FOLDER_OF_PROFILES\n", stderr);
    return 2;
  }
  try {
    auto records = network_fit::fit_all(network_fit::read_samples(argv[1]));
    for (const TransportRecord& r : records) {
      fmt::print(stderr, "{:60} {:8} {:5} + {:4}  median {:5.1f} %  p90 {:5.1f} %\n", r.name,
                 r.op, r.trained, r.held_out, 100 * r.median_error, 100 * r.p90_error);
    }
    const std::filesystem::path out(argv[2]);
    write_file(out / "transports.csv", kTransportNotice + write_transport_records(records));
    write_file(out / "collectives.csv",
               kCurveNotice + write_curves(network_fit::thinned(
                                  network_fit::read_measured_curves(argv[1]))));
  } catch (const std::exception& error) {
    fmt::print(stderr, "network_fit: {}\n", error.what());
    return 1;
  }
  return 0;
}
