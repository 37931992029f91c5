// run --replications, compare and sweep, as their users run them.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "sim/base/files.hpp"
#include "tests/cli/program.hpp"
#include "tools/fleet/store.hpp"

using namespace moesim;
using namespace moesim::tests;
namespace fs = std::filesystem;

namespace {

// A run of some milliseconds.
constexpr const char* kSmall = R"(name = "small"
requests = 30
[model]
preset = "olmoe-1b-7b"
[cluster]
preset = "hgx-h200"
nodes = 1
[calibration]
profile = "h200-sxm/sglang"
[traffic]
arrivals = { process = "poisson", rate = "50 req/s" }
input_tokens = { distribution = "fixed", mean = 256 }
output_tokens = { distribution = "fixed", mean = 16 }
)";

struct Folder {
  fs::path path = fs::temp_directory_path() / ("moesim_fleet_test." + std::to_string(getpid()));
  Folder() {
    fs::remove_all(path);
    fs::create_directories(path);
    write_file(path / "small.toml", kSmall);
  }
  ~Folder() { fs::remove_all(path); }
  [[nodiscard]] std::string file(const char* name) const { return path / name; }
};

// Started, not waited for; its output is thrown away.
pid_t start(std::vector<std::string> words) {
  words.insert(words.begin(), MOESIM_PROGRAM);
  const pid_t child = fork();
  if (child != 0) return child;
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  (void)!freopen("/dev/null", "w", stdout);
  (void)!freopen("/dev/null", "w", stderr);
  execv(MOESIM_PROGRAM, arguments.data());
  _exit(127);
}

int wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("replications are pooled with intervals, and equal on one process and on three") {
  const Folder folder;
  const auto run = [&](const char* jobs, const char* out) {
    const Outcome o = run_program({"run", folder.file("small.toml"), "--replications", "3",
                                   "-j", jobs, "-o", folder.file(out), "--format", "json"});
    CAPTURE(o.err);
    CHECK(o.status == 0);
    CHECK(read_file(folder.path / out / "result.json") == o.out);
    return o.out;
  };
  const std::string one = run("1", "a");
  CHECK(one == run("3", "b"));
  CHECK(says(one, "\"replications\": 3"));
  CHECK(says(one, "\"method\": \"replications\""));
  CHECK(says(one, "\"partial\": false"));
  for (const char* name : {"report.html", "requests.csv", "trace.pftrace", "resolved.toml"}) {
    CHECK(fs::exists(folder.path / "a" / name));
  }
}

TEST_CASE("a replication is the run of its seed") {
  const Folder folder;
  const Outcome alone = run_program({"run", folder.file("small.toml"), "--seed", "7", "-o",
                                     folder.file("a"), "--format", "csv"});
  const Outcome compared =
      run_program({"compare", folder.file("small.toml"), "--seed", "7", "--vary", "requests=30",
                   "--replications", "1", "--format", "csv"});
  CHECK(compared.status == 0);
  // ttft,s,COUNT,MEAN,P50,... and ttft_p50,s,30,P50,...
  const auto cell = [](const std::string& text, const std::string& row, int column) {
    std::size_t at = text.find("\n" + row + ",");
    REQUIRE(at != std::string::npos);
    for (int i = 0; i < column; ++i) at = text.find(',', at) + 1;
    return text.substr(at, text.find_first_of(",\n", at) - at);
  };
  CHECK(cell(alone.out, "ttft", 4) == cell(compared.out, "ttft_p50", 3));
}

TEST_CASE("a variant against itself under another key is exactly equal: the seeds are common") {
  const Folder folder;
  const Outcome o =
      run_program({"compare", folder.file("small.toml"), "--vary", "slo.ttft_p99=1 s,2 s",
                   "--replications", "3", "--format", "markdown"});
  CAPTURE(o.out, o.err);
  CHECK(o.status == 0);
  CHECK(says(o.out, "2 s against 1 s: no real difference in 3 replications"));
}

TEST_CASE("a sweep is refused over an old store, and a wrong key before any run") {
  const Folder folder;
  const std::string file = folder.file("small.toml");
  const std::string store = folder.file("s.sqlite");
  CHECK(run_program({"sweep", file, "--vary", "seed=1,2", "-o", store}).status == 0);
  const Outcome again = run_program({"sweep", file, "--vary", "seed=1,2", "-o", store});
  CHECK(again.status == 2);
  CHECK(says(again.err, "--resume"));
  const Outcome wrong =
      run_program({"sweep", file, "--vary", "sede=1,2", "-o", folder.file("t.sqlite")});
  CHECK(wrong.status == 2);
  CHECK(says(wrong.err, "did you mean 'seed'?"));
  CHECK_FALSE(fs::exists(folder.file("t.sqlite")));
  CHECK(run_program({"sweep", file, "--vary", "seed=1", "--shard", "3/2"}).status == 2);
  CHECK(run_program({"report", file}).status == 2);
}

TEST_CASE("[sweep] in the scenario and --vary make the same store") {
  const Folder folder;
  write_file(folder.path / "grid.toml",
             std::string(kSmall) + "[sweep]\nvary = [\"seed=1:2:1\", \"serving.tp=1,2\"]\n");
  CHECK(run_program({"sweep", folder.file("grid.toml"), "-o", folder.file("a")}).status == 0);
  CHECK(run_program({"sweep", folder.file("small.toml"), "--vary", "seed=1:2:1", "--vary",
                     "serving.tp=1,2", "-o", folder.file("b")})
            .status == 0);
  const auto runs = SweepStore::read(folder.file("a")).runs;
  CHECK(runs.size() == 4);
  CHECK(runs == SweepStore::read(folder.file("b")).runs);
  // --vary comes before [sweep], and a grid that grows keeps what has been run.
  const Outcome more =
      run_program({"sweep", folder.file("grid.toml"), "--vary", "seed=1:3:1", "--vary",
                   "serving.tp=1,2", "--resume", "-o", folder.file("a")});
  CHECK(more.status == 0);
  CHECK(says(more.err, "2 runs done, 4 were there"));
}

TEST_CASE("a wrong [sweep] is told with its place, and a sweep of nothing is refused") {
  const Folder folder;
  write_file(folder.path / "grid.toml",
             std::string(kSmall) + "[sweep]\nvary = [\"seed=3:1:1\"]\n");
  const Outcome wrong = run_program({"sweep", folder.file("grid.toml")});
  CHECK(wrong.status == 2);
  CHECK(says(wrong.err, "grid.toml:15:"));
  CHECK(says(wrong.err, "sweep.vary seed: the range '3:1:1' leads nowhere"));
  const Outcome nothing = run_program({"sweep", folder.file("small.toml")});
  CHECK(nothing.status == 2);
  CHECK(says(nothing.err, "nothing to vary"));
  CHECK(run_program({"explain", "sweep.vary"}).status == 0);
}

TEST_CASE("a failed run is recorded with its error and does not stop the sweep") {
  const Folder folder;
  const std::string store = folder.file("s.sqlite");
  const Outcome o = run_program(
      {"sweep", folder.file("small.toml"), "--vary", "serving.tp=1,3,2", "-o", store});
  CAPTURE(o.err);
  CHECK(o.status == 0);
  const StoreContent content = SweepStore::read(store);
  REQUIRE(content.runs.size() == 3);
  CHECK(content.runs[0].done);
  CHECK_FALSE(content.runs[1].done);
  CHECK_FALSE(content.runs[1].error.empty());
  CHECK(content.runs[2].done);
  const Outcome report = run_program({"report", store});
  CHECK(report.status == 0);
  CHECK(says(report.out, "serving.tp"));
  CHECK(says(report.out, content.runs[1].error));
  CHECK(says(read_file(folder.file("s.html")), "data-sweep"));
}

TEST_CASE(
    "a shard whose runs all fail is done all the same: other shards may have better ones") {
  const Folder folder;
  const std::vector<std::string> words{"sweep", folder.file("small.toml"), "--vary",
                                       "serving.tp=3,1"};
  auto shard = words;
  shard.insert(shard.end(), {"--shard", "1/2", "-o", folder.file("shard")});
  CHECK(run_program(shard).status == 0);
  CHECK_FALSE(SweepStore::read(folder.file("shard")).runs.at(0).done);
}

TEST_CASE("shards together are the whole sweep") {
  const Folder folder;
  const auto sweep = [&](const char* shard, const char* out) {
    CHECK(run_program({"sweep", folder.file("small.toml"), "--vary", "seed=1:5:1", "--shard",
                       shard, "-o", folder.file(out)})
              .status == 0);
  };
  sweep("1/1", "all");
  sweep("1/2", "1");
  sweep("2/2", "2");
  CHECK(SweepStore::read(folder.file("2")).runs.size() == 2);
  CHECK(read_stores({folder.path / "1", folder.path / "2"}).runs ==
        SweepStore::read(folder.file("all")).runs);
}

// The bar: 200 runs killed at random and resumed give the same store as an uninterrupted one.
TEST_CASE("a sweep of 200 runs that is killed again and again ends with the same store") {
  const Folder folder;
  const std::vector<std::string> words{"sweep",  folder.file("small.toml"),
                                       "--set",  "requests=5",
                                       "--vary", "seed=1:50:1",
                                       "--vary", "placement.strategy=linear,eplb",
                                       "--vary", "serving.tp=1,3"};  // 3 fails: also recorded
  auto whole = words;
  whole.insert(whole.end(), {"-o", folder.file("whole")});
  REQUIRE(wait_for(start(whole)) == 0);
  auto broken = words;
  broken.insert(broken.end(), {"-o", folder.file("broken"), "--resume"});
  int kills = 0;
  for (unsigned pause = 150'000;; pause = pause * 5 / 4) {
    const pid_t child = start(broken);
    usleep(pause + 7919U * static_cast<unsigned>(kills) % 100'000U);
    kill(child, SIGKILL);
    if (wait_for(child) == 0) break;  // it had ended before
    ++kills;
  }
  CAPTURE(kills);
  CHECK(kills > 3);
  const auto expected = SweepStore::read(folder.file("whole")).runs;
  const auto actual = SweepStore::read(folder.file("broken")).runs;
  REQUIRE(expected.size() == 200);
  REQUIRE(actual.size() == 200);
  for (std::size_t i = 0; i < 200; ++i) {
    CAPTURE(i);
    CHECK(actual[i].hash == expected[i].hash);
    CHECK(actual[i].done == expected[i].done);
    CHECK(actual[i].error == expected[i].error);
    if (expected[i].done) CHECK(actual[i] == expected[i]);  // failed ones have no figures
  }
}

TEST_CASE("an interrupted command exits 130 and keeps what had finished") {
  const Folder folder;
  const std::vector<std::string> words{
      "sweep", folder.file("small.toml"), "--vary", "seed=1:2000:1",
      "-o",    folder.file("s"),          "-j",     "1"};
  const pid_t child = start(words);
  while (!fs::exists(folder.file("s"))) usleep(10'000);
  usleep(500'000);
  kill(child, SIGTERM);
  CHECK(wait_for(child) == 130);
  CHECK(SweepStore::read(folder.file("s")).runs.size() < 2000);

  const pid_t run = start({"run", folder.file("small.toml"), "--replications", "1000", "-j",
                           "1", "-o", folder.file("r")});
  while (!fs::exists(folder.file("r") + "/result.json")) usleep(10'000);
  usleep(100'000);
  kill(run, SIGINT);
  CHECK(wait_for(run) == 130);
  CHECK(says(read_file(folder.file("r") + "/result.json"), "\"partial\": true"));
}

TEST_CASE("Ctrl-C ends one run in its middle: exit 130, and its result says it is a part") {
  const Folder folder;
  for (const int signal : {SIGINT, SIGTERM}) {
    INFO("signal " << signal);
    const std::string out = folder.file(signal == SIGINT ? "int" : "term");
    const pid_t child =
        start({"run", folder.file("small.toml"), "--set", "requests=1000000", "-o", out});
    while (!fs::exists(out + "/resolved.toml")) usleep(10'000);
    usleep(500'000);  // the simulation has begun
    kill(child, signal);
    CHECK(wait_for(child) == 130);
    CHECK(says(read_file(out + "/result.json"), "\"partial\": true"));
  }
}

TEST_CASE("plan buys what keeps the promises, says why less does not, and refuses to guess") {
  const Folder folder;
  const auto plan = [&](const std::string& slo, std::vector<std::string> more = {}) {
    write_file(folder.path / "plan.toml", std::string(kSmall) + slo);
    std::vector<std::string> words{"plan", folder.file("plan.toml"), "--nodes", "4"};
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words);
  };
  const Outcome nothing = plan("");
  CHECK(nothing.status == 2);
  CHECK(says(nothing.err, "promises nothing"));
  // One node is never enough: when it is lost, none is left.
  const Outcome easy = plan("[slo]\nttft_p99 = \"60 s\"\n", {"--vary", "serving.tp=1,2"});
  CAPTURE(easy.out, easy.err);
  CHECK(easy.status == 0);
  CHECK(says(easy.out, "1 nodes: with a node lost: a lost node leaves none"));
  CHECK(says(easy.out, "Buy 2 nodes ("));  // at one price the faster of both
  CHECK(says(easy.out, "also with a node lost"));
  const Outcome never = plan("[slo]\nttft_p99 = \"1 us\"\n");
  CHECK(never.status == 3);
  CHECK(says(never.out, "No candidate keeps the promises with at most 4 nodes"));
}

TEST_CASE("plan finds a possible number of nodes where its neighbours are impossible") {
  // 64 experts over 24 GPUs do not divide: three nodes cannot be, and neither can four with one
  // lost. Two can.
  const Folder folder;
  write_file(folder.path / "plan.toml", std::string(kSmall) + "[slo]\nttft_p99 = \"60 s\"\n");
  const Outcome o = run_program({"plan", folder.file("plan.toml"), "--nodes", "3"});
  CAPTURE(o.out, o.err);
  CHECK(o.status == 0);
  CHECK(says(o.out, "Buy 2 nodes"));
}
