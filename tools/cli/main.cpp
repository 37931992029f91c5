// Parses the command line, runs one subcommand, and turns every failure into an exit code.
#include <CLI/CLI.hpp>
#include <exception>
#include <string>
#include <vector>

#include "sim/base/errors.hpp"
#include "sim/base/spelling.hpp"
#include "tools/cli/command.hpp"
#include "tools/cli/terminal.hpp"

namespace moesim {

namespace {

// "moesim" as a program and its subcommands, with the action of the one that was chosen.
struct Program {
  CLI::App app{"Predicts how a Mixture-of-Experts model behaves on a GPU cluster.", "moesim"};
  std::vector<std::pair<CLI::App*, Action>> actions;

  Program() {
    app.set_version_flag("--version", "moesim " MOESIM_VERSION);
    app.require_subcommand(1);
    app.footer("`moesim COMMAND --help` shows the options and examples of a command.");
    for (const Command& command : commands()) {
      CLI::App* sub =
          app.add_subcommand(std::string(command.name), std::string(command.summary));
      sub->footer("Examples:\n  " + indented(command.examples));
      actions.emplace_back(sub, command.declare(*sub));
    }
  }

  static std::string indented(std::string_view lines) {
    std::string out;
    for (const char c : lines) out += c == '\n' ? "\n  " : std::string(1, c);
    return out;
  }

  int run() {
    for (const auto& [sub, action] : actions) {
      if (sub->parsed()) return action();
    }
    return kWrongInput;
  }
};

// The first word that is no option names the command; CLI11 does not guess what was meant.
void check_command_name(const std::vector<std::string>& words) {
  if (words.empty() || words.front().starts_with('-')) return;
  std::vector<std::string> names;
  std::string list;
  for (const Command& command : commands()) {
    names.emplace_back(command.name);
    list += (list.empty() ? "" : ", ") + names.back();
  }
  for (const std::string& name : names) {
    if (name == words.front()) return;
  }
  throw InputError("there is no command '" + words.front() + "'", "one of " + list,
                   did_you_mean(words.front(), names));
}

// A wrong option, with the nearest right one.
[[noreturn]] void throw_usage(const Program& program, const CLI::ParseError& problem) {
  std::vector<std::string> known;
  std::string command = "moesim", hint;
  for (const CLI::App* sub : program.app.get_subcommands()) {
    command += " " + sub->get_name();
    for (const CLI::Option* option : sub->get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
    for (const std::string& extra : sub->remaining()) {
      if (extra.starts_with("--") && hint.empty()) {
        hint = did_you_mean(extra.substr(0, extra.find('=')), known);
      }
    }
  }
  throw InputError(problem.what(), "see `" + command + " --help`", hint);
}

int parse_and_run(std::vector<std::string> words) {
  check_command_name(words);
  Program program;
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    program.app.parse(words);
  } catch (const CLI::CallForHelp&) {
    const auto chosen = program.app.get_subcommands();
    print(chosen.empty() ? program.app.help() : chosen.front()->help("moesim"));
    return kDone;
  } catch (const CLI::CallForVersion& version) {
    print(std::string(version.what()) + "\n");
    return kDone;
  } catch (const CLI::ParseError& problem) {
    throw_usage(program, problem);
  }
  return program.run();
}

int guarded(const std::vector<std::string>& words) {
  const auto tell = [](const std::string& message) { say("error: " + message + "\n"); };
  try {
    return parse_and_run(words);
  } catch (const InputError& problem) {
    for (const Diagnostic& d : problem.diagnostics()) say(render(d, color_of(stderr)));
    return kWrongInput;
  } catch (const Interrupted&) {
    return kInterrupted;
  } catch (const WorldError& problem) {
    tell(problem.what());
  } catch (const BrokenLaw& problem) {
    tell(problem.what());
    say("This is a mistake in moesim " MOESIM_VERSION
        ", not in your scenario. Please report it with the command and the scenario.\n");
  } catch (const std::bad_alloc&) {
    tell("out of memory");
  } catch (const std::exception& problem) {
    tell(problem.what());
    say("moesim " MOESIM_VERSION " did not expect this. Please report it with the command.\n");
  }
  return kFailed;
}

}  // namespace

}  // namespace moesim

int main(int argc, char** argv) {
  return moesim::guarded(std::vector<std::string>(argv + 1, argv + argc));
}
