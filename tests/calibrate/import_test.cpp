#include "calibrate/import/import.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "sim/base/diagnostics.hpp"

using namespace moesim;

namespace {

// 2017: milliseconds, no line of units.
const std::string k2017 = R"(# NCCL Tests compiled with NCCL 2.1
# Using devices
#   Rank  0 on node0 device  0 [0x06] Tesla P100
#   Rank  1 on node0 device  1 [0x07] Tesla P100

#                                                 out-of-place                    in-place
#      bytes             N    type      op     time  algbw  busbw      res     time  algbw  busbw      res
    10000000      10000000    char     sum    1.641   6.09   6.09    0e+00    1.650   6.06   6.06    0e+00
 Out of bounds values : 0 OK
)";

// 2019: microseconds; no reduction, so its column is blank.
const std::string k2019 = R"(# nThread 1 nGpus 2 minBytes 8 maxBytes 1024
# Using devices
#   Rank  0 Pid   100 on node0 device  0 [0x1b] H100
#   Rank  1 Pid   100 on node0 device  1 [0x2b] H100
#
#                                             out-of-place                       in-place
#       size         count    type   redop     time   algbw   busbw  error     time   algbw   busbw  error
#        (B)    (elements)                     (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)
        1024           128   float            12.50    0.08    0.04  0e+00    12.10    0.08    0.04  0e+00
# Avg bus bandwidth    : 0.04
)";

// Since 2.11: root and #wrong.
const std::string k2022 = R"(# alltoall_perf
#  Rank  0 Group  0 Pid  77 on node0 device  0 [0000:1b:00] NVIDIA H200
#
#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)
     1048576         32768     float    none      -1    31.25   33.55   29.36      0    31.00   33.83   29.60    N/A
)";

}  // namespace

TEST_CASE("nccl-tests output of every generation gives seconds and bytes") {
  const auto old = import_nccl("old.txt", k2017);
  REQUIRE(old.size() == 2);
  CHECK(old[0].seconds == Approx(1.641e-3));
  CHECK(old[0].bytes == 1e7);
  CHECK(old[0].ranks == 2);
  CHECK(old[1].note == "in place");

  const auto middle = import_nccl("2019.txt", k2019);
  REQUIRE(middle.size() == 2);
  CHECK(middle[0].seconds == Approx(12.5e-6));
  CHECK(middle[0].bus_bandwidth == Approx(0.04e9));
  CHECK(middle[1].seconds == Approx(12.1e-6));

  const auto recent = import_nccl("2022.txt", k2022);
  REQUIRE(recent.size() == 2);
  CHECK(recent[0].op == "alltoall");
  CHECK(recent[0].seconds == Approx(31.25e-6));
  CHECK(recent[1].bus_bandwidth == Approx(29.6e9));
}

TEST_CASE("nccl-tests JSON is read") {
  const auto points = import_nccl("a.json", R"({"nranks": 8, "results": [
    {"size": 4096, "out_of_place": {"time": 20.0, "alg_bw": 0.2, "bus_bw": 0.18},
     "in_place": {"time": 19.0, "alg_bw": 0.2, "bus_bw": 0.19}}]})");
  REQUIRE(points.size() == 2);
  CHECK(points[0].ranks == 8);
  CHECK(points[0].seconds == Approx(20e-6));
}

TEST_CASE("DeepEP's tests are read: tuned bandwidths and low latency") {
  const auto points = import_deepep("d.txt", R"([config] num_tokens=4096, num_ranks=16
[tuning] Best dispatch (FP8): SMs 24, NVL chunk 20, RDMA chunk 16: 58.03 GB/s (RDMA), 189.40 GB/s (NVL)
[tuning] Best combine: SMs 24, NVL chunk 2, RDMA chunk 16: 57.10 GB/s (RDMA), 186.00 GB/s (NVL), t: 650.5 us
[rank 3] Dispatch bandwidth: 98.00 GB/s, avg_t=77.00 us | Combine bandwidth: 127.00 GB/s, avg_t=114.00 us
)");
  REQUIRE(points.size() == 4);
  CHECK(points[0].op == "dispatch");
  CHECK(points[0].bus_bandwidth == Approx(58.03e9));
  CHECK(points[0].ranks == 16);
  CHECK(points[1].seconds == Approx(650.5e-6));
  CHECK(points[2].op == "dispatch_ll");
  CHECK(points[2].bytes == Approx(98e9 * 77e-6));
  CHECK(points[3].seconds == Approx(114e-6));
}

TEST_CASE("Empty, foreign and cut-off output is refused with its place") {
  CHECK_THROWS_AS(import_nccl("empty.txt", ""), InputError);
  CHECK_THROWS_AS(import_nccl("other.txt", "hello\n"), InputError);
  CHECK_THROWS_AS(import_nccl("bad.json", "{\"results\": "), InputError);
  CHECK_THROWS_AS(import_deepep("none.txt", "hello\n"), InputError);
  const std::string cut = k2022.substr(0, k2022.size() - 75);
  CHECK_THROWS_WITH(import_nccl("cut.txt", cut), Catch::Contains("cut.txt:6"));
}
