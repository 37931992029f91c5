// What is wrong with the user's input: every fault at once, each with its place, the line,
// a caret, what was expected and a hint.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace moesim {

enum class Severity { error, warning };

// Line and column count from 1; 0 means unknown. `line_text` is the source line itself.
struct Place {
  std::string file;
  int line = 0;
  int column = 0;
  std::string line_text;

  friend bool operator==(const Place&, const Place&) = default;
};

struct Diagnostic {
  Severity severity = Severity::error;
  Place place;
  std::string message;   // what is wrong, naming the key and the value
  std::string expected;  // what would be right; may be empty
  std::string hint;      // "did you mean 'eplb'?"; may be empty

  friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

enum class Color { off, on };

// file:line:column: error: message / the line / the caret / expected / hint.
std::string render(const Diagnostic& diagnostic, Color color);

class Diagnostics {
 public:
  void error(Place place, std::string message, std::string expected = {},
             std::string hint = {});
  void warning(Place place, std::string message, std::string expected = {},
               std::string hint = {});

  void append(const Diagnostics& others);

  [[nodiscard]] bool has_errors() const;
  [[nodiscard]] const std::vector<Diagnostic>& all() const { return list_; }

  // Throws InputError with everything collected if there is an error.
  void throw_if_errors() const;

 private:
  std::vector<Diagnostic> list_;
};

// Thrown at a stage's end; holds all diagnostics, warnings included.
class InputError : public std::exception {
 public:
  explicit InputError(std::vector<Diagnostic> diagnostics);
  // One error without a place in a file (a command line, a JSON problem).
  InputError(std::string message, std::string expected, std::string hint = {});

  [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const { return list_; }
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::vector<Diagnostic> list_;
  std::string text_;
};

}  // namespace moesim
