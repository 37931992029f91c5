#include "tools/cli/terminal.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "sim/base/errors.hpp"

namespace moesim {

void print(std::string_view text) {
  const std::size_t written = std::fwrite(text.data(), 1, text.size(), stdout);
  if (written != text.size() || std::fflush(stdout) != 0) {
    throw WorldError(std::string("cannot write to stdout: ") + std::strerror(errno));
  }
}

void say(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

bool is_terminal(std::FILE* stream) { return ::isatty(::fileno(stream)) != 0; }

Color color_of(std::FILE* stream) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool refused = (no_color != nullptr && *no_color != '\0') ||
                       (term != nullptr && std::strcmp(term, "dumb") == 0);
  return !refused && is_terminal(stream) ? Color::on : Color::off;
}

}  // namespace moesim
