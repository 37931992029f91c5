#include "tools/cli/man_page.hpp"

#include <CLI/CLI.hpp>

#include "tools/cli/command.hpp"

namespace moesim {

namespace {

// A backslash, or a dot or quote at the start of a line, means something to roff.
std::string roff(std::string_view text) {
  std::string out;
  bool at_start = true;
  for (const char c : text) {
    if (at_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    at_start = c == '\n';
  }
  return out;
}

std::string options_of(const CLI::App& command) {
  std::string out;
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name(true, true);
    out += ".TP\n.B " + roff(name) + "\n" + roff(option->get_description()) + "\n";
  }
  return out;
}

}  // namespace

std::string man_page(const CLI::App& program) {
  std::string out = ".TH MOESIM 1 \"\" \"moesim " MOESIM_VERSION "\"\n.SH NAME\nmoesim \\- " +
                    roff(program.get_description()) +
                    "\n.SH SYNOPSIS\n.B moesim\n.I COMMAND\n[options]\n.SH COMMANDS\n";
  for (const Command& command : commands()) {
    const CLI::App* sub = program.get_subcommand(std::string(command.name));
    out += ".SS moesim " + roff(command.name) + "\n" + roff(command.summary) + "\n";
    out += options_of(*sub);
    out += ".PP\nExamples:\n.PP\n.nf\n" + roff(command.examples) + "\n.fi\n";
  }
  out +=
      ".SH EXIT STATUS\n"
      ".TP\n0\nDone.\n.TP\n1\nFailed.\n.TP\n2\nWrong usage or a wrong scenario.\n"
      ".TP\n3\nA promise was missed (with \\-\\-check\\-slo).\n"
      ".TP\n130\nInterrupted; what was finished is written.\n"
      ".SH ENVIRONMENT\n"
      ".TP\nNO_COLOR\nNo colour, even on a terminal.\n"
      ".TP\nMOESIM_DATA\nFolder that holds scenarios/ and calibrate/profiles/.\n";
  return out;
}

}  // namespace moesim
