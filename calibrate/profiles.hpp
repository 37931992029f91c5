// Shipped profiles, and profiles in files.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace moesim {

struct Profile;

// "h200-sxm/sglang" from calibrate/profiles/ of the data folder, or the path of a .toml file.
// A GPU without a profile of its own gets the nearest one of its architecture ("h800-sxm/vllm"
// is served by h100-sxm/vllm; give CostModel the GPU's name). Throws InputError that lists what
// there is, or what is damaged and where.
// `expert_kernel`, if not empty, is part of a kernel's name: of each number format that has
// such sections of experts, the others are left out.
std::shared_ptr<const Profile> load_profile(const std::string& name_or_path,
                                            const std::string& expert_kernel = "");

// Does one of its expert kernels have this in its name?
bool has_expert_kernel(const Profile& profile, const std::string& expert_kernel);

// Sorted names.
std::vector<std::string> shipped_profiles();

// The shipped GPU whose peaks are nearest among those of the same architecture; empty if none.
std::string nearest_shipped_gpu(const std::string& gpu);

}  // namespace moesim
