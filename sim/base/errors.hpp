// The three ways to fail: the input is wrong (InputError in diagnostics.hpp, exit 2),
// the world fails (WorldError, exit 1), we are wrong (BrokenLaw, exit 1 and a bug report).
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace moesim {

// Disk full, child process died, CUDA unavailable. The text says what and where.
class WorldError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A law of the simulation does not hold: our mistake, never the user's.
class BrokenLaw : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void throw_broken_law(std::string_view law, std::string_view condition,
                                   const char* file, int line);

}  // namespace moesim

// Always on. `law` is the sentence it guards: "tokens routed = tokens x top_k".
#define MOESIM_LAW(condition, law)                                                     \
  do {                                                                                 \
    if (!(condition)) ::moesim::throw_broken_law(law, #condition, __FILE__, __LINE__); \
  } while (false)
