#include "tests/cli/program.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "sim/base/files.hpp"

namespace moesim::tests {

namespace {

std::string quoted(const std::string& word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

}  // namespace

Outcome run_program(const std::vector<std::string>& arguments,
                    const std::vector<std::string>& environment) {
  namespace fs = std::filesystem;
  const fs::path folder =
      fs::temp_directory_path() / ("moesim_cli_test." + std::to_string(::getpid()));
  fs::create_directories(folder);
  std::string line = "cd " + quoted(folder) + " && env";
  for (const std::string& setting : environment) line += " " + quoted(setting);
  line += " " + quoted(MOESIM_PROGRAM);
  for (const std::string& argument : arguments) line += " " + quoted(argument);
  line += " >out 2>err </dev/null";
  const int status = std::system(line.c_str());
  Outcome outcome;
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  outcome.out = read_file(folder / "out");
  outcome.err = read_file(folder / "err");
  fs::remove_all(folder);
  return outcome;
}

}  // namespace moesim::tests
