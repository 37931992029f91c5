// A trace as a reader finds it that shares no code with the program: trace_decode.py.
#pragma once

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>

namespace moesim {

struct DecodedTrace {
  int status = 0;
  std::string text;
  std::map<std::string, double> exact, clock;  // seconds per slice name
  std::map<std::string, int> count;
  // Per thread and path of names ("step/attention"): seconds and number.
  std::map<std::string, std::map<std::string, double>> seconds_on;
  std::map<std::string, std::map<std::string, int>> count_on;
  std::map<std::string, double> most;            // per counter
  std::map<std::string, std::string> flow_from;  // per flow, the slice it begins at
  std::map<std::string, int> flow_slices;

  [[nodiscard]] bool has_line(const std::string& line) const {
    return ("\n" + text + "\n").find("\n" + line + "\n") != std::string::npos;
  }
};

inline DecodedTrace decode_trace(const std::filesystem::path& path) {
  DecodedTrace out;
  const std::string command = "python3 " MOESIM_SOURCE "/tests/report/trace_decode.py '" +
                              path.string() + "' --tracks 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) {
    out.text.append(buffer, n);
  }
  out.status = ::pclose(pipe);
  std::istringstream lines(out.text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind, name, rest;
    if (line.starts_with("sum ")) {
      words >> kind >> name;
      words >> out.exact[name] >> out.clock[name] >> out.count[name];
      continue;
    }
    std::getline(words, kind, '\t');
    std::getline(words, name, '\t');
    std::getline(words, rest, '\t');
    if (kind == "on") words >> out.seconds_on[name][rest] >> out.count_on[name][rest];
    if (kind == "range") words >> out.most[name];
    if (kind == "flow") {
      out.flow_slices[name] = std::stoi(rest);
      words >> out.flow_from[name];
    }
  }
  return out;
}

}  // namespace moesim
