#include "calibrate/measure/verify_apart.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <string_view>

#include "sim/base/errors.hpp"

namespace moesim {
namespace {

// What the child says, a line each, cells separated by tabs:
//   begun  NUMBER  FAMILY
//   done   NUMBER  ERROR  TOLERANCE  REFUSAL  FAILURE
//   lost   WHY                                          the device; nothing follows
//   end
using Cells = std::vector<std::string>;

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\t' || c == '\n') c = ' ';
  }
  return text;
}

void say(int to, const std::string& line) {
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(to, rest.data(), rest.size());
    if (written < 0 && errno != EINTR) ::_exit(1);
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Leaves without destructors: those of a lost device may not return.
[[noreturn]] void check_as_child(const Apart& how, std::size_t from, int to) {
  try {
    const auto device = how.open();
    const auto operations = verification_operations(device->facts());
    for (std::size_t i = from; i < operations.size(); ++i) {
      if (!selects(how.selection, operations[i])) continue;
      say(to, fmt::format("begun\t{}\t{}\n", i, family_of(operations[i])));
      const Verified v = verify_one(*device, operations[i]);
      say(to, fmt::format("done\t{}\t{}\t{}\t{}\t{}\n", i, v.result.error, v.result.tolerance,
                          one_line(v.refusal), one_line(v.failure)));
    }
    say(to, "end\n");
  } catch (const std::exception& e) {
    say(to, "lost\t" + one_line(e.what()) + "\n");
  }
  ::_exit(0);
}

Cells cells_of(std::string_view line) {
  Cells cells;
  while (true) {
    const std::size_t tab = line.find('\t');
    cells.emplace_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return cells;
    line.remove_prefix(tab + 1);
  }
}

template <class Number>
Number number(const std::string& text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// One child and what it has said.
class Child {
 public:
  Child(const Apart& how, std::size_t from) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) fail("open a pipe");
    id_ = ::fork();
    if (id_ < 0) fail("start a process");
    if (id_ == 0) {
      ::close(ends[0]);
      check_as_child(how, from, ends[1]);
    }
    ::close(ends[1]);
    from_ = ends[0];
  }
  ~Child() {
    ::close(from_);
    if (id_ > 0) end();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // The next line's cells; none at the end. `why` says why it ended, where it was not by
  // itself.
  Cells next(Seconds patience, const std::function<bool()>& interrupted, std::string& why) {
    std::size_t line = 0;
    while ((line = text_.find('\n')) == std::string::npos) {
      if (!read_more(patience, interrupted, why)) return {};
    }
    Cells cells = cells_of(std::string_view(text_).substr(0, line));
    text_.erase(0, line + 1);
    return cells;
  }

 private:
  [[noreturn]] static void fail(const char* what) {
    throw WorldError(
        fmt::format("cannot {} to check kernels in: {}", what, std::strerror(errno)));
  }

  bool read_more(Seconds patience, const std::function<bool()>& interrupted, std::string& why) {
    constexpr int kTick = 200;  // ms, between two looks at the interrupt
    for (double waited = 0; waited < patience.value; waited += kTick * 1e-3) {
      if (interrupted && interrupted()) return false;
      pollfd ready{from_, POLLIN, 0};
      if (::poll(&ready, 1, kTick) <= 0) continue;
      std::array<char, 4096> buffer{};
      const ssize_t count = ::read(from_, buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) {
        why = how_it_ended();
        return false;
      }
      text_.append(buffer.data(), static_cast<std::size_t>(count));
      return true;
    }
    why = fmt::format("did not end within {:.0f} s", patience.value);
    return false;
  }

  std::string how_it_ended() {
    int status = 0;
    ::waitpid(id_, &status, 0);
    id_ = 0;
    if (!WIFSIGNALED(status)) return "its process ended early";
    return fmt::format("its process was ended by signal {} ({})", WTERMSIG(status),
                       ::strsignal(WTERMSIG(status)));
  }

  void end() const {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }

  pid_t id_ = 0;
  int from_ = -1;
  std::string text_;
};

// The number of the operation at which a child ended and its family; none where it came through
// or never began.
struct Stop {
  bool early = false;
  std::size_t operation = 0;
  std::string family;
  std::string why;
};

Stop listen(Child& child, const Apart& how, std::vector<ApartCheck>& checks) {
  Stop stop;
  for (Seconds patience = how.starting;; patience = how.patience) {
    const Cells line = child.next(patience, how.interrupted, stop.why);
    if (line.empty() || line[0] == "end") return stop;
    if (line[0] == "lost" && line.size() == 2) {
      stop.why = line[1];
      return stop;
    }
    if (line[0] == "begun" && line.size() == 3) {
      stop = {true, number<std::size_t>(line[1]), line[2], ""};
    }
    if (line[0] == "done" && line.size() == 6) {
      checks.push_back({number<std::size_t>(line[1]),
                        line[4],
                        line[5],
                        {number<double>(line[2]), number<double>(line[3])}});
      stop = {};
    }
  }
}

}  // namespace

std::vector<ApartCheck> verify_apart(const Apart& how) {
  Apart rest = how;
  std::vector<ApartCheck> checks;
  for (std::size_t from = 0;;) {
    Stop stop;
    {
      Child child(rest, from);
      stop = listen(child, rest, checks);
    }
    if (!stop.early || (how.interrupted && how.interrupted())) return checks;
    checks.push_back({stop.operation, "", stop.why, {}});
    rest.selection.without.push_back(stop.family);
    from = stop.operation + 1;
  }
}

std::vector<Verified> with_operations(const std::vector<ApartCheck>& checks,
                                      const DeviceFacts& facts) {
  const auto operations = verification_operations(facts);
  std::vector<Verified> verified;
  for (const ApartCheck& c : checks) {
    MOESIM_LAW(c.operation < operations.size(), "both processes see the same device");
    verified.push_back({operations[c.operation], c.refusal, c.failure, c.result});
  }
  return verified;
}

}  // namespace moesim
