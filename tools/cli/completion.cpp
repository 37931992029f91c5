// moesim completion bash|zsh: a script generated from the commands' own options.
#include <CLI/CLI.hpp>
#include <memory>

#include "tools/cli/command.hpp"
#include "tools/cli/list.hpp"
#include "tools/cli/terminal.hpp"

namespace moesim {

namespace {

std::string words_of(const CLI::App& command) {
  std::string words;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) words += " --" + name;
    for (const std::string& name : option->get_snames()) words += " -" + name;
  }
  if (command.get_name() == "list") {
    for (const std::string& kind : list_kinds()) words += " " + kind;
  }
  if (command.get_name() == "completion") words += " bash zsh";
  return words.empty() ? words : words.substr(1);
}

std::string bash_script(const CLI::App& program) {
  std::string names, cases;
  for (const CLI::App* command :
       program.get_subcommands([](const CLI::App*) { return true; })) {
    names += " " + command->get_name();
    cases += "    " + command->get_name() + ") words=\"" + words_of(*command) + "\" ;;\n";
  }
  return R"sh(# moesim completion; load with: source <(moesim completion bash)
_moesim() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ")sh" +
         names.substr(1) + R"sh( --help --version" -- "$current"))
    return
  fi
  case "$previous" in
    --set|--vary)
      compopt -o nospace 2>/dev/null
      COMPREPLY=($(compgen -S = -W "$(moesim explain --keys)" -- "$current"))
      return ;;
    explain)
      COMPREPLY=($(compgen -W "$(moesim explain --keys) --all --man --keys" -- "$current"))
      return ;;
  esac
  case "${COMP_WORDS[1]}" in
)sh" + cases +
         R"sh(    *) words="" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current") $(compgen -f -- "$current"))
}
complete -o filenames -F _moesim moesim
)sh";
}

}  // namespace

Action declare_completion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  app.add_option("SHELL", *shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  return [shell, &app] {
    const std::string zsh =
        "autoload -U +X compinit && compinit\n"
        "autoload -U +X bashcompinit && bashcompinit\n";
    print((*shell == "zsh" ? zsh : "") + bash_script(*app.get_parent()));
    return kDone;
  };
}

}  // namespace moesim
