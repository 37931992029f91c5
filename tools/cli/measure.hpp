// `moesim calibrate` without a subcommand: times kernels and collectives on this machine's GPU.
#pragma once

#include "tools/cli/command.hpp"

namespace moesim {

// Declares --backend, --gpu, --budget, --quick, --model, --seed, --verify and -o on `app`.
Action declare_measure(CLI::App& app);

}  // namespace moesim
