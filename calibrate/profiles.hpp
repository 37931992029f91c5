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
std::shared_ptr<const Profile> load_profile(const std::string& name_or_path);

// Does one of its expert kernels have this in its name?
bool has_expert_kernel(const Profile& profile, const std::string& expert_kernel);
// The same profile without the others of each number format that has such a kernel. Throws
// InputError that lists the kernels where none has.
std::shared_ptr<const Profile> with_expert_kernel(const Profile& profile,
                                                  const std::string& expert_kernel);

// Sorted names.
std::vector<std::string> shipped_profiles();

// The shipped GPU whose peaks are nearest among those of the same architecture; empty if none.
std::string nearest_shipped_gpu(const std::string& gpu);

}  // namespace moesim
