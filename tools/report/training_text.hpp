// A training run on a terminal: the lines that stand where requests and blame stand in serving.
#pragma once

#include <string>

#include "tools/report/training_result.hpp"

namespace moesim {

std::string training_lines(const TrainingResult& training);

}  // namespace moesim
