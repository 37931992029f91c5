// How long a round of micro-batches takes.
#include "sim/serving/pipeline.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

TEST_CASE("a round is as long as its micro-batch needs, or as the slowest stage is busy") {
  const auto round = [](double once, double slowest, int passes, PipelineFill fill) {
    return once + Pipeline::bubble(Seconds{once}, Seconds{slowest}, passes, fill).value;
  };
  // Four even stages of 1, nothing between them.
  CHECK(round(4, 1, 1, PipelineFill::running) == 4);  // alone: no bubble
  CHECK(round(4, 1, 4, PipelineFill::running) == 4);  // full: every stage works always
  CHECK(round(4, 1, 4, PipelineFill::empty) == 7);    // GPipe: stages + micro-batches - 1
  // Stages of 1, 1, 2: the last is the bottleneck.
  CHECK(round(4, 2, 3, PipelineFill::running) == 6);
  CHECK(round(4, 2, 2, PipelineFill::running) == 4);
  CHECK(round(4, 2, 1, PipelineFill::empty) == 4);
}
