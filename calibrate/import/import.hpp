// Other tools' output as tables of one layout, with the source named in '#' lines.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace moesim {

// One timed collective. Bytes are per rank.
struct CollectivePoint {
  std::string op;            // "alltoall", "dispatch", "combine", "dispatch_ll", ...
  int ranks = 0;             // 0: the output does not say
  double bytes = 0;          // 0: the output gives bandwidth only
  double seconds = 0;        // 0: the output gives bandwidth only
  double bus_bandwidth = 0;  // bytes/s; DeepEP: of the slower link
  std::string note;          // "in place", "FP8, RDMA"

  friend bool operator==(const CollectivePoint&, const CollectivePoint&) = default;
};

// nccl-tests, e.g. `alltoall_perf`: the text output of all generations (2017: milliseconds
// without a line of units; 2019: microseconds; since 2.11: root and #wrong) and `-J` JSON.
// Throws InputError with file and line where no result is found.
std::vector<CollectivePoint> import_nccl(const std::string& file, std::string_view text);

// Output of DeepEP's test_intranode, test_internode and test_low_latency.
std::vector<CollectivePoint> import_deepep(const std::string& file, std::string_view text);

// `kind` is nccl, deepep or kernels; returns the CSV text. Of kernels (any table that
// `calibrate fit` reads) it checks the layout and passes it on.
std::string import_table(const std::string& kind, const std::filesystem::path& path);

}  // namespace moesim
