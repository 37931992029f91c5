// Exit codes, help, spelling, and what goes to stdout and what to stderr.
#include <catch2/catch.hpp>
#include <filesystem>

#include "sim/base/files.hpp"
#include "tests/cli/program.hpp"

using namespace moesim;
using namespace moesim::tests;

namespace {

constexpr const char* kCommands[] = {"run",     "compare", "sweep",     "plan", "calibrate",
                                     "report",  "import",  "place",     "list", "topology",
                                     "explain", "schema",  "completion"};

const std::string kQuickstart = MOESIM_SOURCE "/scenarios/quickstart.toml";

// Exit 2, nothing on stdout, a message with `part`, and no trace of how the program is made.
void refuses(const std::vector<std::string>& arguments, const std::string& part) {
  const Outcome o = run_program(arguments);
  CAPTURE(arguments, o.err);
  CHECK(o.status == 2);
  CHECK(o.out.empty());
  CHECK(says(o.err, "error: "));
  CHECK(says(o.err, part));
  for (const char* trace : {"terminate called", "what():", ".cpp:", "std::"}) {
    CHECK_FALSE(says(o.err, trace));
  }
}

}  // namespace

TEST_CASE("help and version go to stdout and exit 0; every command has examples") {
  const Outcome help = run_program({"--help"});
  CHECK(help.status == 0);
  CHECK(help.err.empty());
  CHECK(says(run_program({"--version"}).out, "moesim 0."));
  for (const char* command : kCommands) {
    CHECK(says(help.out, command));
    const Outcome o = run_program({command, "--help"});
    CHECK(o.status == 0);
    CHECK(says(o.out, "Usage: moesim " + std::string(command)));
    CHECK(says(o.out, "Examples:\n  "));
  }
}

TEST_CASE("a misspelt command, option or list is met with the nearest one") {
  refuses({"rnu", kQuickstart}, "did you mean 'run'?");
  refuses({"run", kQuickstart, "--formt", "json"}, "did you mean '--format'?");
  refuses({"list", "modls"}, "did you mean 'models'?");
  refuses({"explain", "serving.ttp"}, "did you mean 'serving.tp'?");
  refuses({"completion", "fish"}, "bash");
  refuses({"run", kQuickstart, "--replications", "0"}, "--replications");
  refuses({"run", kQuickstart, "--seed", "soon"}, "--seed");
  refuses({"run"}, "FILE");
  refuses({}, "moesim --help");
}

TEST_CASE("a wrong scenario exits 2 with a clear message, never a stack trace") {
  refuses({"run", kQuickstart, "--set", "cluster.nodes=0"}, "cluster.nodes is 0");
  refuses({"run", kQuickstart, "--set", "model.preset=deepseek-v33"},
          "did you mean 'deepseek-v3'?");
  refuses({"run", kQuickstart, "--set", "traffic.arrivals.rate=-3 req/s"}, "out of range");
  refuses({"run", kQuickstart, "--set", "model.weights=bf16", "--set", "cluster.nodes=1"},
          "does not fit");
  refuses({"run", kQuickstart, "--set", "placement.strategi="}, "did you mean 'strategy'?");
  refuses({"run", "/dev/null"}, "the scenario is empty");
  refuses({"run", "/"}, "folder");
  refuses({"run", "/no/such/file"}, "No such file");
  refuses({"run", MOESIM_PROGRAM}, "not valid TOML");
}

TEST_CASE("no colour and no control character is written where stderr is no terminal") {
  const Outcome o = run_program({"run", MOESIM_PROGRAM});
  for (const char c : o.err) CHECK((c == '\n' || static_cast<unsigned char>(c) >= 0x20));
}

TEST_CASE("a full disk is the world's failure: exit 1 and what could not be written") {
  if (!std::filesystem::exists("/dev/full")) return;
  const Outcome o = run_program({"schema", "--help"});
  CHECK(o.status == 0);
  const int status = std::system("'" MOESIM_PROGRAM "' schema > /dev/full 2> /dev/null");
  CHECK(WEXITSTATUS(status) == 1);
}

TEST_CASE("a folder that cannot be written is told before the simulation, exit 1") {
  // An hour of traffic: were it simulated first, this would take as long.
  const Outcome o = run_program({"run", kQuickstart, "--set", "requests=1000000", "-o",
                                 std::string(MOESIM_PROGRAM) + "/results"});
  CHECK(o.status == 1);
  CHECK(o.out.empty());
  CHECK(says(o.err, "cannot make"));
}

TEST_CASE("the schema, the reference page and the man page are whole") {
  CHECK(says(run_program({"schema"}).out, "draft-04"));
  CHECK(says(run_program({"explain", "--all"}).out, "| `serving.tp` |"));
  CHECK(says(run_program({"explain", "--keys"}).out, "placement.strategy\n"));
  const Outcome man = run_program({"explain", "--man"});
  CHECK(says(man.out, ".TH MOESIM 1"));
  const std::string examples = ".PP\nExamples:";
  for (const char* command : kCommands) {
    CAPTURE(command);
    const std::size_t at = man.out.find(".SS moesim " + std::string(command) + "\n");
    REQUIRE(at != std::string::npos);
    CHECK(man.out.find(examples, at) < man.out.find("\n.S", at + 1));
  }
  CHECK(says(man.out, "\\-\\-trace\\-window"));
  CHECK(run_program({"explain", "serving.tp", "placement.dispatch"}).status == 0);
}

TEST_CASE("every list that `list` knows has rows") {
  const Outcome known = run_program({"list", "?"});
  CHECK(known.status == 2);
  for (const char* kind : {"models", "systems", "placements", "dispatch", "fabrics",
                           "transports", "balancing", "metrics", "skews"}) {
    CAPTURE(kind);
    CHECK(says(known.err, kind));
    const Outcome o = run_program({"list", kind});
    CHECK(o.status == 0);
    CHECK(std::count(o.out.begin(), o.out.end(), '\n') >= 2);
  }
}

TEST_CASE("the completion scripts are valid for their shell and know commands and options") {
  const Outcome bash = run_program({"completion", "bash"});
  const auto file = std::filesystem::temp_directory_path() / "moesim_completion_test.sh";
  write_file(file,
             bash.out +
                 "PATH=\"$(dirname '" MOESIM_PROGRAM
                 "'):$PATH\"\n"
                 "try() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _moesim; "
                 "echo \"${COMPREPLY[*]}\"; }\n"
                 "try moesim ru\ntry moesim run --check\ntry moesim run x --set serving.max\n"
                 "try moesim list mod\ntry moesim '' \ntry moesim sweep x --vary placement.st\n"
                 "try moesim run --trace\n");
  const std::string line = "bash '" + file.string() + "' > '" + file.string() + ".out' 2>&1";
  CHECK(std::system(line.c_str()) == 0);
  const std::string out = read_file(file.string() + ".out");
  CAPTURE(out);
  CHECK(says(out, "run\n"));
  CHECK(says(out, "--check-slo"));
  CHECK(says(out, "serving.max_batch"));
  CHECK(says(out, "models"));
  CHECK(says(out, "placement.strategy="));
  CHECK(says(out, "--trace-window"));
  for (const char* command : kCommands) CHECK(says(out, command));
  std::filesystem::remove(file);
  std::filesystem::remove(file.string() + ".out");
  CHECK(says(run_program({"completion", "zsh"}).out, "bashcompinit"));
}
