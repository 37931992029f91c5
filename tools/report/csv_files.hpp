// The tables of a run's folder. Every file is complete or absent; times in seconds, sizes in
// bytes, one header line; cells that need it are quoted.
#pragma once

#include <filesystem>
#include <string>

#include "sim/metrics/blame.hpp"
#include "sim/metrics/recorder.hpp"
#include "sim/metrics/timeline.hpp"
#include "tools/report/result.hpp"

namespace moesim {

std::string gpus_csv(const Result& result);
std::string links_csv(const Result& result);
std::string experts_csv(const Result& result);
std::string layers_csv(const Result& result);
// One line per window and layer, per domain and layer.
std::string load_windows_csv(const Result& result);
std::string tenant_loads_csv(const Result& result);
// One line per bin: time_s and, for every series, its value (empty where it has none).
std::string timeline_csv(const Timeline& timeline);

// One line per request; with `blame`, its seconds by cause. Written in pieces: a million lines
// are never in memory. A latency that a request does not have is an empty cell.
void write_requests_csv(const std::filesystem::path& path, const Recorder& recorder,
                        const Blame* blame);

// result.json and all CSV files into `folder`, which is made if need be. Null: without it.
// Throws WorldError.
void write_results(const std::filesystem::path& folder, const Result& result,
                   const Recorder& recorder, const Blame* blame, const Timeline* timeline);

}  // namespace moesim
