#include "tools/cli/status_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "sim/base/units_text.hpp"
#include "tools/cli/terminal.hpp"

namespace moesim {

namespace {

volatile std::sig_atomic_t interrupt_seen = 0;

extern "C" void note_interrupt(int signal) {
  interrupt_seen = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

StatusLine::StatusLine(std::string what)
    : what_(std::move(what)),
      enabled_(is_terminal(stderr)),
      begin_(Clock::now()),
      last_(begin_) {}

StatusLine::~StatusLine() { clear(); }

void StatusLine::show(double share, Seconds simulated) {
  show(share, fmt::format("{:.0f} % of the requests, {} simulated", 100 * std::min(1.0, share),
                          to_display(simulated)));
}

void StatusLine::show(double share, const std::string& text) {
  if (!enabled_) return;
  const auto now = Clock::now();
  const double spent = std::chrono::duration<double>(now - begin_).count();
  if (spent < 2 || now - last_ < std::chrono::milliseconds(200)) return;
  last_ = now;
  shown_ = true;
  const double left = share > 0 ? spent * (1 - share) / share : 0;
  say(fmt::format("\r\x1b[K{}: {}, {} left", what_, text, to_display(Seconds{left})));
}

void StatusLine::clear() {
  if (shown_) say("\r\x1b[K");
  shown_ = false;
}

void watch_for_interrupts() {
  std::signal(SIGINT, note_interrupt);
  std::signal(SIGTERM, note_interrupt);
}

bool interrupted() { return interrupt_seen != 0; }

}  // namespace moesim
