// Laws of a user's own measurement: what its profile says of power and of all-to-alls is used,
// from raw points over the fitted file to the result.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "calibrate/busy_power.hpp"
#include "calibrate/fit.hpp"
#include "calibrate/profile_io.hpp"
#include "calibrate/profiles.hpp"
#include "sim/base/files.hpp"
#include "sim/serving/measured_exchange.hpp"
#include "tests/physics/runs.hpp"

using namespace moesim;
namespace fs = std::filesystem;

namespace {

const std::string kKey = "system,framework,version,kernel_source,";

fs::path scratch() {
  const fs::path folder =
      fs::temp_directory_path() / ("moesim_measured." + std::to_string(getpid()));
  fs::create_directories(folder);
  return folder;
}

// Points as `moesim calibrate` stores them (calibrate/measure/raw_points.cpp), fitted, written
// and read again.
Profile refit(const std::string& all_to_all, const std::string& energy) {
  const fs::path folder = scratch();
  write_file(folder / "all_to_all_h200_sxm.csv",
             kKey + "ranks,pattern,bytes_per_rank,latency\n" + all_to_all);
  write_file(folder / "energy_h200_sxm.csv",
             kKey + "operation,latency,joules,watts,loop_s,runs\n" + energy);
  const Fit fit =
      fit_profile({folder / "all_to_all_h200_sxm.csv", folder / "energy_h200_sxm.csv"},
                  {"h200-sxm", "moesim", Provenance::measured});
  write_profile(folder / "fitted.toml", fit.profile);
  return read_profile(folder / "fitted.toml");
}

std::string exchange(int ranks, double latency_factor) {
  std::string rows;
  for (double bytes = 1024; bytes < 1e9; bytes *= 8) {
    const double ms = latency_factor * (0.02 + bytes / 300e9 * 1e3);
    rows += "h200_sxm,moesim,2.21,nccl," + std::to_string(ranks) + ",uniform," +
            std::to_string(static_cast<long>(bytes)) + "," + std::to_string(ms) + "\n";
  }
  return rows;
}

std::string energy(const std::string& operation, double watts) {
  return "h200_sxm,moesim,12.4,own," + operation + ",0.5," + std::to_string(watts * 0.5e-3) +
         "," + std::to_string(watts) + ",2,4000\n";
}

const std::string kLoops = energy("gemm bf16 m=8192 n=7168 k=7168", 690) +
                           energy("gemm fp8 m=8192 n=7168 k=7168", 650) +
                           energy("copy bf16 bytes=1073741824", 480) +
                           energy(
                               "decode_attention bf16 batch=128 kv=4096 heads=8 "
                               "kv_heads=1 dim=128",
                               520) +
                           energy("experts bf16 multi_stream uniform tokens=256", 610);

// The shipped kernels with a measurement's collectives and energy.
std::string with_measured(const Profile& measured) {
  Profile profile = *load_profile("h200-sxm/sglang");
  profile.exchanges = measured.exchanges;
  profile.energy = measured.energy;
  const fs::path path = scratch() / "own.toml";
  write_profile(path, profile);
  return "calibration.profile=" + path.string();
}

std::string source_of(const Result& result, const std::string& what) {
  for (const ProvenanceNote& note : result.provenance) {
    if (note.what == what) return note.source;
  }
  return "";
}

}  // namespace

TEST_CASE("loops of raw points say what a GPU draws, by kind of kernel and number format") {
  const Profile all = refit(exchange(8, 1), kLoops);
  CHECK(busy_power(all, Dtype::fp8) == BusyPower{Watts{520}, Watts{650}, Watts{610}});
  CHECK(busy_power(all, Dtype::bf16)->dense.value == Approx(690));
  // A kind that was not run draws as the most similar one.
  const Profile copies = refit(exchange(8, 1), energy("copy bf16 bytes=1073741824", 480));
  CHECK(busy_power(copies, Dtype::fp8) == BusyPower{Watts{480}, Watts{480}, Watts{480}});
  CHECK_FALSE(busy_power(*load_profile("h200-sxm/sglang"), Dtype::fp8).has_value());
}

TEST_CASE("energy = idle power x waiting + seconds of each kind of kernel x its power") {
  const auto walk = run_small({with_measured(refit(exchange(8, 1), kLoops))});
  const Result result = walk->result("test");
  const double idle = walk->cluster().gpu(GpuId{0}).idle_power.value;
  const double duration = walk->simulation().duration().value;
  const BusyPower power = *busy_power(walk->costs().profile(), walk->scenario().model.weights);
  double joules = 0;
  for (const GpuResult& gpu : result.gpus) {
    joules += gpu.attention.value * power.attention.value +
              gpu.dense.value * power.dense.value + gpu.expert.value * power.experts.value +
              (1 - gpu.utilization) * duration * idle;
  }
  CHECK(result.cost.energy.value == Approx(joules).epsilon(1e-9));
  CHECK(source_of(result, "power of h200-sxm while it computes").find("520 W") !=
        std::string::npos);
  CHECK_FALSE(source_of(result, "prices and idle power").empty());
}

TEST_CASE("loops that draw full power give the datasheet's energy, and all else is the same") {
  const auto shipped = run_small({"requests=50"});
  const double full = shipped->cluster().gpu(GpuId{0}).power.value;
  const Profile measured =
      refit(exchange(8, 1), energy("gemm bf16 m=8192 n=7168 k=7168", full));
  const auto own = run_small({"requests=50", with_measured(measured)});
  CHECK(own->result("test").cost.energy.value ==
        Approx(shipped->result("test").cost.energy.value).epsilon(1e-9));
  CHECK(own->simulation().duration() == shipped->simulation().duration());
  CHECK_FALSE(source_of(shipped->result("test"), "prices and power").empty());
}

TEST_CASE("a measured all-to-all prices the transport nccl, and no other") {
  const std::string twice = with_measured(refit(exchange(8, 2), kLoops));
  const auto dispatch = [](const Walk& walk) {
    return walk.result("test").summary.find(MetricId::dispatch_time)->mean;
  };
  const auto run_with = [&](const std::string& profile, const char* transport) {
    return run_small({"requests=20", profile, std::string("serving.transport=") + transport});
  };
  const auto slow = run_with(twice, "nccl");
  CHECK(source_of(slow->result("test"), "all-to-alls of h200-sxm").find("between 8 GPUs") !=
        std::string::npos);
  const double two = dispatch(*slow);
  const double one = dispatch(*run_with(with_measured(refit(exchange(8, 1), kLoops)), "nccl"));
  CHECK(two == Approx(2 * one).epsilon(0.02));

  const std::string own = with_measured(refit(exchange(8, 2), kLoops));
  const auto pairwise = run_with(own, "pairwise");
  CHECK(dispatch(*pairwise) ==
        dispatch(*run_with("calibration.profile=h200-sxm/sglang", "pairwise")));
  CHECK(source_of(pairwise->result("test"), "all-to-alls of h200-sxm").find("shipped") == 0);
}

TEST_CASE("what one GPU measured says nothing of links: the shipped table stays, and says so") {
  const auto alone = run_small(
      {"requests=20", "serving.transport=nccl", with_measured(refit(exchange(1, 1), kLoops))});
  const auto shipped = run_small({"requests=20", "serving.transport=nccl"});
  CHECK(alone->simulation().duration() == shipped->simulation().duration());
  CHECK(source_of(alone->result("test"), "all-to-alls of h200-sxm").find("shipped tables") ==
        0);
  const TransportFit fit = transport_fit("nccl", "h200-sxm", {});
  CHECK(fit == find_transport_fit("nccl", "h200-sxm"));
}
