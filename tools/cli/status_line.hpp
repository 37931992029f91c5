// One line on a terminal that says how far a long run is; nothing elsewhere.
#pragma once

#include <chrono>
#include <string>

#include "sim/base/units.hpp"

namespace moesim {

class StatusLine {
 public:
  explicit StatusLine(std::string what);
  ~StatusLine();

  // Shown from the second second on, five times a second at most.
  void show(double share, Seconds simulated);
  // The same with what to say between the share and the time left: "12 of 200 runs".
  void show(double share, const std::string& text);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  bool enabled_;
  bool shown_ = false;
  Clock::time_point begin_;
  Clock::time_point last_;
};

// SIGINT and SIGTERM are remembered instead of ending the program; a second one ends it.
void watch_for_interrupts();
bool interrupted();

}  // namespace moesim
