// moesim explain KEY | --all | --man | --keys
#include <CLI/CLI.hpp>
#include <memory>

#include "sim/base/errors.hpp"
#include "sim/scenario/reference.hpp"
#include "tools/cli/command.hpp"
#include "tools/cli/man_page.hpp"
#include "tools/cli/terminal.hpp"

namespace moesim {

namespace {

struct ExplainArguments {
  std::vector<std::string> keys;
  bool all = false;
  bool man = false;
  bool names = false;
};

int explain(const ExplainArguments& arguments, const CLI::App& program) {
  if (arguments.all) print(reference_page());
  if (arguments.man) print(man_page(program));
  if (arguments.names) {
    std::string list;
    for (const std::string& key : all_keys()) list += key + "\n";
    print(list);
  }
  for (const std::string& key : arguments.keys) print(explain_key(key));
  if (arguments.keys.empty() && !arguments.all && !arguments.man && !arguments.names) {
    throw InputError("explain what?", "a key or a section, or --all");
  }
  return kDone;
}

}  // namespace

Action declare_explain(CLI::App& app) {
  auto arguments = std::make_shared<ExplainArguments>();
  app.add_option("KEY", arguments->keys, "A key (placement.strategy) or a section (placement)");
  app.add_flag("--all", arguments->all, "The reference page of all keys, in Markdown");
  app.add_flag("--man", arguments->man, "The man page, in roff");
  app.add_flag("--keys", arguments->names, "The names of all keys, one per line");
  return [arguments, &app] { return explain(*arguments, *app.get_parent()); };
}

}  // namespace moesim
