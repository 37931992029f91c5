// The frame of the program: what a subcommand is, and the one table of them (commands.cpp).
//
// To add a subcommand: tools/cli/NAME.cpp with `Action declare_NAME(CLI::App& app)`, which
// declares its options and returns what to do once they are parsed; one line in commands.cpp.
//
// An action writes data to stdout through `print`, talk to stderr, and returns an exit code. It
// throws InputError (exit 2), WorldError (exit 1) or Interrupted (exit 130); main.cpp maps
// them.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace moesim {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongInput = 2;
inline constexpr int kSloMissed = 3;
inline constexpr int kInterrupted = 130;

using Action = std::function<int()>;

struct Command {
  std::string_view name;
  std::string_view summary;   // one line
  std::string_view examples;  // shown at the end of --help, one per line
  Action (*declare)(CLI::App& app);
};

std::span<const Command> commands();

// What was finished is written; now leave.
struct Interrupted {};

Action declare_run(CLI::App& app);
Action declare_compare(CLI::App& app);
Action declare_sweep(CLI::App& app);
Action declare_plan(CLI::App& app);
Action declare_report(CLI::App& app);
Action declare_place(CLI::App& app);
Action declare_list(CLI::App& app);
Action declare_explain(CLI::App& app);
Action declare_schema(CLI::App& app);
Action declare_completion(CLI::App& app);
Action declare_calibrate(CLI::App& app);
Action declare_import(CLI::App& app);
Action declare_topology(CLI::App& app);

}  // namespace moesim
