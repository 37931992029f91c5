// A kernel profile from tables: what `moesim calibrate fit TABLE... -o PROFILE` does.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "calibrate/profile.hpp"
#include "sim/base/diagnostics.hpp"

namespace moesim {

struct FitOptions {
  std::string gpu;     // key of devices.hpp; rows of other GPUs are passed over
  std::string engine;  // "sglang", "vllm", "trtllm", ...
  Provenance provenance = Provenance::imported;
};

struct RejectedRow {
  Place place;
  std::string reason;
};

struct Fit {
  Profile profile;
  std::vector<RejectedRow> rejected;  // by the physics check
  int used = 0;                       // rows
  int flagged = 0;                    // rows left out because their flag says so
};

// Reads the tables (told apart by their columns), drops rows that no hardware could reach,
// fits every section. What the engine lacks is borrowed from another engine's rows for the same
// GPU, and the profile's notes say so. Throws InputError for damaged tables, and where nothing
// is left to fit.
Fit fit_profile(const std::vector<std::filesystem::path>& tables, const FitOptions& options);

}  // namespace moesim
