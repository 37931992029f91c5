#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>

#include "calibrate/measure/blas.hpp"
#include "calibrate/measure/device.hpp"
#include "calibrate/measure/measure.hpp"
#include "sim/base/errors.hpp"

using namespace moesim;

TEST_CASE("the processor's demonstration measures every family and is marked as one") {
  const auto device = open_cpu_device();
  CHECK(device->facts().demonstration);
  CHECK(device->facts().system == "cpu");
  Measuring how;
  how.rule.most = 20;
  how.rule.fewest = 10;
  how.budget = Seconds{20};
  int ticks = 0;
  how.clock = [&] { return Seconds{1e-3 * ++ticks}; };
  std::vector<bool> seen(12, false);
  Plan plan;
  for (const Job& job : all_jobs(device->facts(), {})) {
    const auto kind = static_cast<std::size_t>(job.op.kind);
    if (!seen[kind]) plan.jobs.push_back(job);
    seen[kind] = true;
  }
  const Measurement m = measure(*device, plan, how);
  CHECK(m.points.size() == 11);  // all but the graph node
  REQUIRE(m.refusals.size() == 1);
  CHECK(m.refusals[0].op.kind == OpKind::graph_node);
  for (const Point& p : m.points) {
    INFO(to_text(p.job.op));
    CHECK(p.time.median > 0);
    CHECK_FALSE(p.after);
  }
}

TEST_CASE("OpenBLAS and plain loops multiply alike") {
  const auto device = open_cpu_device();
  if (device->facts().library != "openblas") std::cout << "skipped: no OpenBLAS here\n";
  Operation op;
  op.dtype = Dtype::fp32;
  op.m = 5, op.n = 33, op.k = 129;
  std::string why;
  const auto v = device->verify(op, why);
  REQUIRE(v);
  CHECK(v->error <= v->tolerance);
}

TEST_CASE("plain loops are y = x w^T") {
  const float x[] = {1, 2, 3, 4, 5, 6};           // 2 x 3
  const float w[] = {1, 0, 0, 0, 1, 0, 1, 1, 1};  // 3 x 3
  float y[6];
  plain_loops()->multiply(2, 3, 3, x, w, y);
  const float expected[] = {1, 2, 6, 4, 5, 15};
  for (int i = 0; i < 6; ++i) CHECK(y[i] == expected[i]);
}

TEST_CASE("without the module, the message says where it was looked for and how to build it") {
  ::setenv("MOESIM_CUDA_MODULE", "/nonexistent/moesim_cuda.so", 1);
  CHECK_THROWS_WITH(open_cuda_device(0),
                    Catch::Contains("/nonexistent/moesim_cuda.so") && Catch::Contains("cmake"));
  ::unsetenv("MOESIM_CUDA_MODULE");
}

TEST_CASE(
    "the module loads where it was built, and says that there is no GPU where there is none") {
  const char* built = MOESIM_CUDA_BUILT;
  if (*built == '\0') {
    std::cout << "skipped: built without the CUDA module\n";
    return;
  }
  ::setenv("MOESIM_CUDA_MODULE", built, 1);
  try {
    const auto device = open_cuda_device(0);
    CHECK(device->facts().gpus > 0);
    std::cout << "a GPU is here: " << device->facts().name << "\n";
  } catch (const WorldError& e) {
    const std::string text = e.what();
    INFO(text);
    CHECK((text.find("CUDA finds no GPU") == 0 || text.find("no NVIDIA driver") == 0 ||
           text.find("cannot be loaded") != std::string::npos));
  }
  ::unsetenv("MOESIM_CUDA_MODULE");
}
