// Runs the program and keeps what it said.
#pragma once

#include <string>
#include <vector>

namespace moesim::tests {

struct Outcome {
  int status = -1;  // exit code; 128 + signal if it was killed
  std::string out;
  std::string err;
};

// `environment` are NAME=value on top of the test's own.
Outcome run_program(const std::vector<std::string>& arguments,
                    const std::vector<std::string>& environment = {});

inline bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace moesim::tests
