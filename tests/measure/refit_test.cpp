// From timings to a profile and back: what a device with a known law measures, `calibrate fit`
// turns into a profile that predicts the law.
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "calibrate/fit.hpp"
#include "calibrate/measure/raw_points.hpp"
#include "calibrate/profile_io.hpp"
#include "fake_device.hpp"
#include "sim/base/files.hpp"

using namespace moesim;
namespace fs = std::filesystem;

namespace {

struct Raw {
  fs::path folder;
  std::vector<fs::path> tables;
  explicit Raw(const char* name, Seconds budget = Seconds{180})
      : folder(fs::temp_directory_path() / name) {
    fs::remove_all(folder);
    FakeDevice device;
    const Plan plan = make_plan(device.facts(), {.budget = budget});
    Measuring how;
    how.budget = budget;
    how.clock = device.clock();
    const auto all = raw_tables(measure(device, plan, how), device.facts(), 1);
    for (const auto& path : write_raw_tables(all, folder)) {
      if (!path.filename().string().starts_with("not_measured")) tables.push_back(path);
    }
  }
  ~Raw() { fs::remove_all(folder); }
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;
};

Fit fit(const Raw& raw) {
  return fit_profile(raw.tables, {"h200-sxm", "moesim", Provenance::measured});
}

}  // namespace

TEST_CASE("a profile fitted from raw points is measured, of this GPU, and survives its file") {
  const Raw raw("moesim_refit_round");
  const Fit result = fit(raw);
  CHECK(result.profile.provenance == Provenance::measured);
  CHECK(result.profile.gpu == "h200-sxm");
  CHECK(result.rejected.empty());
  write_profile(raw.folder / "profile.toml", result.profile);
  const Profile read = read_profile(raw.folder / "profile.toml");
  CHECK(read.gemms.size() == 4);
  write_profile(raw.folder / "again.toml", read);
  CHECK(read_file(raw.folder / "again.csv") == read_file(raw.folder / "profile.csv"));
}

TEST_CASE("whatever the budget left room for becomes a profile that can be written and read") {
  for (const double budget : {0.5, 2.0, 8.0, 30.0}) {
    const Raw raw("moesim_refit_budget", Seconds{budget});
    INFO(budget << " s");
    const Fit result = fit(raw);
    write_profile(raw.folder / "profile.toml", result.profile);
    const Profile read = read_profile(raw.folder / "profile.toml");
    CHECK(read.gemms.size() == result.profile.gemms.size());
    CHECK(read.experts.size() == result.profile.experts.size());
    if (budget >= 30) CHECK(read.experts.size() == 6);
  }
}

TEST_CASE("energy and all-to-alls of a measurement are in its profile") {
  const Raw raw("moesim_refit_machine");
  const Profile profile = fit(raw).profile;
  CHECK(profile.energy.size() == 7);
  REQUIRE(profile.exchanges.size() == 1);
  CHECK(profile.exchanges[0].ranks == 1);
  CHECK(profile.exchanges[0].bytes.size() == 20);
}

TEST_CASE("GEMM hold-outs judge the fit: each format has its 48, predicted within 5 %") {
  const Raw raw("moesim_refit_gemm");
  const Fit result = fit(raw);
  REQUIRE(result.profile.gemms.size() == 4);
  for (const GemmSection& section : result.profile.gemms) {
    INFO(to_text(section.key.dtype));
    CHECK(section.points_left_out.all.points >= 48);
    CHECK(section.points_left_out.all.median < 0.05);
    CHECK(section.points_left_out.all.p90 < 0.15);
  }
}

TEST_CASE("hold-outs do not change the fit") {
  const Raw raw("moesim_refit_holdout");
  const Fit with = fit(raw);
  for (const auto& path : raw.tables) {
    std::string kept;
    std::istringstream in(read_file(path));
    for (std::string line; std::getline(in, line);) {
      if (line.find(",holdout,") == std::string::npos) kept += line + "\n";
    }
    write_file(path, kept);
  }
  const Fit without = fit(raw);
  REQUIRE(with.profile.gemms.size() == without.profile.gemms.size());
  for (std::size_t i = 0; i < with.profile.gemms.size(); ++i) {
    GemmSection a = with.profile.gemms[i], b = without.profile.gemms[i];
    CHECK(a.points_left_out.all.points == b.points_left_out.all.points + 48);
    a.points_left_out = b.points_left_out;
    CHECK(a == b);
  }
}

TEST_CASE("the back ends of the experts are kept apart, each with its cost of uneven loads") {
  const Raw raw("moesim_refit_experts");
  const Fit result = fit(raw);
  std::set<std::string> kernels;
  for (const ExpertSection& section : result.profile.experts) {
    INFO(section.key.kernel << " " << to_text(section.key.dtype));
    kernels.insert(section.key.kernel);
    CHECK(section.curves.size() == 4);
    REQUIRE_FALSE(section.skew.empty());
    for (const SkewPoint& point : section.skew) {
      CHECK(point.factor == Approx(FakeDevice::kUneven).epsilon(0.06));
    }
  }
  CHECK(kernels.size() == 4);
  CHECK(result.profile.experts.size() == 6);  // four in bf16, two in fp8
}

TEST_CASE("memory kernels give the launch time and the share of the peak that the law has") {
  const Raw raw("moesim_refit_memory");
  const Profile profile = fit(raw).profile;
  CHECK(profile.memory.provenance == Provenance::measured);
  CHECK(profile.memory.bandwidth == Approx(4.0 / 4.8).epsilon(0.02));
  CHECK(profile.memory.launch.value == Approx(4e-6).epsilon(0.1));
  CHECK(profile.memory.error < 0.1);
}
