// Another program as a function from text to text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moesim {

struct ChildResult {
  int status = 0;  // exit status; 128 + signal when killed
  std::string out;
  std::string err;
};

// Runs `command` (looked up in PATH, no shell) with `input` as its standard input and collects
// what it prints. Throws WorldError when the program cannot be started.
ChildResult run_child(const std::vector<std::string>& command, std::string_view input);

}  // namespace moesim
