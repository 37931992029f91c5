#include "calibrate/cuda/replay.h"

#include <catch2/catch.hpp>

using moesim_cuda::runs_per_replay;

TEST_CASE("a replay lasts half a millisecond at least, and a long operation runs once") {
  for (const double once : {1e-6, 3e-6, 4e-5, 2e-4}) {
    CHECK(runs_per_replay(once, 1) * once >= moesim_cuda::kShortestReplay * (1 - 1e-9));
  }
  CHECK(runs_per_replay(5e-4, 1) == 1);
  CHECK(runs_per_replay(0.2, 1) == 1);
}

TEST_CASE("a replay reaches every copy of the inputs, however small they are") {
  // 64 KiB read in 2.5 us, 2,112 copies to pass 2.2 times 60 MiB.
  CHECK(runs_per_replay(2.5e-6, 2112) == 2112);
  CHECK(runs_per_replay(8e-6, 2112) == 2112);  // as it looks launched one by one
  CHECK(runs_per_replay(1e-3, 2) == 2);
}

TEST_CASE("copies are not reached at any price: 20 ms are the most, and 4,096 runs") {
  CHECK(runs_per_replay(1e-2, 10) == 2);
  CHECK(runs_per_replay(1e-7, 100000) == 4096);
}
