#include <catch2/catch.hpp>
#include <cstdlib>

#include "calibrate/measure/device.hpp"
#include "sim/base/errors.hpp"

using namespace moesim;

namespace {

std::unique_ptr<MeasuredDevice> open_fake(int gpu = 0) {
  ::setenv("MOESIM_CUDA_MODULE", MOESIM_FAKE_MODULE, 1);
  auto device = open_cuda_device(gpu);
  ::unsetenv("MOESIM_CUDA_MODULE");
  return device;
}

Operation gemm(std::int64_t m, std::int64_t n) { return {.m = m, .n = n, .k = 64}; }

}  // namespace

TEST_CASE("a module's refusal, failure and loss are three different things") {
  const auto device = open_fake();
  CHECK(device->facts().system == "h200_sxm");
  CHECK_FALSE(device->prepare(gemm(0, 0)));
  CHECK(device->prepare(gemm(1, 0)) == "no algorithm");
  CHECK_THROWS_AS(device->prepare(gemm(2, 0)), OperationFailed);
  CHECK_THROWS_WITH(device->prepare(gemm(2, 0)), Catch::Contains("execution failed"));
  CHECK_THROWS_AS(device->prepare(gemm(3, 0)), WorldError);
  CHECK_THROWS_WITH(device->prepare(gemm(3, 0)),
                    "NVIDIA H200: gemm bf16 m=3 n=0 k=64: illegal access");
}

TEST_CASE("sampling and checking tell them apart too, and energy may be refused") {
  const auto device = open_fake();
  CHECK_FALSE(device->prepare(gemm(0, 0)));
  CHECK(device->sample(3) == std::vector{Seconds{1e-6}, Seconds{2e-6}, Seconds{3e-6}});
  CHECK_FALSE(device->energy(Seconds{1}));
  CHECK_FALSE(device->conditions());
  CHECK_FALSE(device->prepare(gemm(0, 2)));
  CHECK_THROWS_AS(device->sample(3), OperationFailed);
  CHECK_FALSE(device->prepare(gemm(0, 3)));
  CHECK_THROWS_AS(device->sample(3), WorldError);
  std::string why;
  CHECK(device->verify(gemm(0, 0), why)->error == 0.25);
  CHECK_FALSE(device->verify(gemm(1, 0), why));
  CHECK(why == "no algorithm");
  CHECK_THROWS_AS(device->verify(gemm(2, 0), why), OperationFailed);
  CHECK_THROWS_AS(device->verify(gemm(3, 0), why), WorldError);
}

TEST_CASE("a GPU that the module refuses is the world's failure") {
  CHECK_THROWS_AS(open_fake(7), WorldError);
}
