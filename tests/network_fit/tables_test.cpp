// The shipped parameters against the published tables: on the points that the fit never saw.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <map>

#include "tools/network_fit/curves.hpp"
#include "tools/network_fit/fit.hpp"

using namespace moesim;
using namespace moesim::network_fit;

namespace {

const std::string kTables = MOESIM_SOURCE "/../shared/data/network";
const std::string kProfiles = MOESIM_SOURCE "/calibrate/profiles/network";

bool tables_are_here() {
  if (std::filesystem::exists(kTables)) return true;
  std::printf("  skipped: no %s\n", kTables.c_str());
  return false;
}

double quantile(std::vector<double> v, double q) {
  std::sort(v.begin(), v.end());
  return v[static_cast<std::size_t>(q * static_cast<double>(v.size() - 1) + 0.5)];
}

std::string table_of(const std::string& name) {
  for (const char* table : {"deepep_low_latency", "deepep_normal", "hybrid_ep"}) {
    if (name.starts_with(table)) return table;
  }
  return "published union";
}

}  // namespace

TEST_CASE("Transports predict the held-out points of published tables within 7 % (median)") {
  if (!tables_are_here()) return;
  const auto samples = read_samples(kTables);
  std::map<std::string, std::vector<double>> errors;
  for (const TransportRecord& record : read_transport_records(kProfiles + "/transports.csv")) {
    std::vector<Sample> group;
    for (const Sample& s : samples) {
      if (s.name == record.name && s.op == record.op) group.push_back(s);
    }
    INFO(record.name);
    REQUIRE(!group.empty());
    const Errors now = held_out_errors(record.cost, group);
    if (record.held_out > 0) {
      CHECK(now.median == Approx(record.median_error).margin(1e-3));  // as recorded
      for (const Sample& s : group) {
        if (!s.held_out) continue;
        errors[table_of(s.name)].push_back(std::abs(predict(record.cost, s) / s.measured - 1));
      }
    }
  }
  for (const auto& [table, list] : errors) {
    std::printf("  %-20s %5zu held out: median %4.1f %%, p90 %5.1f %%\n", table.c_str(),
                list.size(), 100 * quantile(list, 0.5), 100 * quantile(list, 0.9));
    INFO(table);
    CHECK(quantile(list, 0.5) <= 0.07);
  }
}

TEST_CASE("Curves predict the sizes that were left out within 7 % (median)") {
  if (!tables_are_here()) return;
  const auto measured = read_measured_curves(kTables);
  const auto shipped = read_curves(kProfiles + "/collectives.csv");
  for (const auto& [library, op] :
       {std::pair("nccl", "alltoall"), std::pair("nccl", "all_reduce"),
        std::pair("nccl", "all_gather"), std::pair("nccl", "reduce_scatter"),
        std::pair("custom", "all_reduce")}) {
    const auto errors = curve_errors(shipped, measured, library, op);
    REQUIRE(!errors.empty());
    std::printf("  %-6s %-15s %4zu held out: median %4.1f %%, p90 %5.1f %%\n", library, op,
                errors.size(), 100 * quantile(errors, 0.5), 100 * quantile(errors, 0.9));
    CHECK(quantile(errors, 0.5) <= 0.07);
  }
}
