// A made-up run to draw: 256 GPUs for an hour, DeepSeek-V3's layers, skewed experts, a surge, a
// fault, a tenant whose name is markup.
#pragma once

#include <filesystem>
#include <string>

#include "tools/report/result.hpp"
#include "tools/report/series.hpp"

namespace moesim {

struct SampleSize {
  int nodes = 32;  // of eight GPUs
  int layers = 58;
  int experts = 256;
  Seconds lasts{3600};
};

Result sample_result(const SampleSize& size = {});
ReportSeries sample_series(const SampleSize& size = {});
std::string sample_scenario();

// The files of a run's folder that the report is made from, and the report.
void write_sample(const std::filesystem::path& folder, const SampleSize& size = {});

}  // namespace moesim
