// The measured tables that profiles are fitted from: beside a developer's checkout only.
#pragma once

#include <filesystem>
#include <iostream>

namespace moesim::tests {

inline const std::filesystem::path kTables = MOESIM_SOURCE "/../shared/data/kernels";

inline bool tables_at_hand() {
  if (std::filesystem::exists(kTables)) return true;
  std::cout << "skipped: the measured tables are not beside this checkout\n";
  return false;
}

}  // namespace moesim::tests
