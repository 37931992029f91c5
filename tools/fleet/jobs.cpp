#include "tools/fleet/jobs.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <thread>

#include "sim/base/errors.hpp"
#include "tools/fleet/archive.hpp"

namespace moesim {

void parts(Archive& a, Place& p) { a(p.file, p.line, p.column, p.line_text); }
void parts(Archive& a, Diagnostic& d) { a(d.severity, d.place, d.message, d.expected, d.hint); }
void parts(Archive& a, JobOutcome& o) { a(o.kind, o.data, o.diagnostics, o.error); }

namespace {

std::string reason() { return std::strerror(errno); }

// What parent and children see at once: a wish to stop, and how far each place's job is.
class SharedBoard {
 public:
  explicit SharedBoard(int places)
      : size_(sizeof(Cell) * static_cast<std::size_t>(places + 1)) {
    void* memory =
        mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw WorldError("no shared memory: " + reason());
    cells_ = static_cast<Cell*>(memory);
    for (int i = 0; i <= places; ++i) new (cells_ + i) Cell(0.0);
  }
  ~SharedBoard() { munmap(cells_, size_); }
  SharedBoard(const SharedBoard&) = delete;
  SharedBoard& operator=(const SharedBoard&) = delete;

  std::atomic<double>& stop() { return cells_[0]; }
  std::atomic<double>& share(int place) { return cells_[place + 1]; }

 private:
  using Cell = std::atomic<double>;
  static_assert(Cell::is_always_lock_free, "children share it with their parent");
  std::size_t size_;
  Cell* cells_ = nullptr;
};

void send_all(int pipe, const std::string& bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t sent = write(pipe, bytes.data() + at, bytes.size() - at);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) _exit(1);
    at += static_cast<std::size_t>(sent);
  }
}

JobOutcome attempt(const Job& job, int number, const JobLink& link) {
  using Kind = JobOutcome::Kind;
  try {
    return {Kind::done, job(number, link), {}, {}};
  } catch (const InputError& problem) {
    return {Kind::wrong_input, {}, problem.diagnostics(), problem.what()};
  } catch (const BrokenLaw& problem) {
    return {Kind::broken_law, {}, {}, problem.what()};
  } catch (const std::bad_alloc&) {
    return {Kind::failed, {}, {}, "out of memory"};
  } catch (const std::exception& problem) {
    return {Kind::failed, {}, {}, problem.what()};
  }
}

class Jobs {
 public:
  Jobs(int count, int at_once, const Job& job, const JobEnded& ended, const JobWatch& watch)
      : count_(count),
        job_(job),
        ended_(ended),
        watch_(watch),
        board_(std::clamp(at_once, 1, std::max(1, count))),
        places_(static_cast<std::size_t>(std::clamp(at_once, 1, std::max(1, count)))) {}
  ~Jobs() {
    for (Child& child : places_) {
      if (child.pid == 0) continue;
      kill(child.pid, SIGKILL);
      finish(child);
    }
  }
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;

  bool run() {
    while (true) {
      if (!stopped_ && !watch_(share())) {
        stopped_ = true;
        board_.stop() = 1;
      }
      for (std::size_t p = 0; p < places_.size() && !stopped_ && next_ < count_; ++p) {
        if (places_[p].pid == 0) start(p);
      }
      if (!receive()) return !stopped_;
    }
  }

 private:
  struct Child {
    pid_t pid = 0;  // 0: the place is free
    int pipe = -1;
    int job = 0;
    std::string received;
  };

  double share() {
    double done = ended_jobs_;
    for (std::size_t p = 0; p < places_.size(); ++p) {
      if (places_[p].pid != 0) done += board_.share(static_cast<int>(p));
    }
    return count_ > 0 ? done / count_ : 1;
  }

  void start(std::size_t place) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw WorldError("no pipe: " + reason());
    board_.share(static_cast<int>(place)) = 0;
    std::fflush(nullptr);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) {
      const std::string why = reason();
      close(ends[0]);
      close(ends[1]);
      throw WorldError("no child process: " + why);
    }
    if (pid == 0) work(ends[1], static_cast<int>(place), parent);
    close(ends[1]);
    places_[place] = {pid, ends[0], next_++, {}};
  }

  [[noreturn]] void work(int pipe, int place, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // it died before it could be watched
    std::signal(SIGINT, SIG_IGN);
    std::signal(SIGTERM, SIG_IGN);
    const JobLink link{[this] { return board_.stop() != 0; },
                       [this, place](double share) { board_.share(place) = share; }};
    JobOutcome outcome = attempt(job_, next_, link);
    Archive out;
    out(outcome);
    send_all(pipe, out.bytes());
    _exit(0);  // no destructors: the event engine is left as it is
  }

  // Waits a fifth of a second at most. False: nobody works any more.
  bool receive() {
    std::vector<pollfd> polled;
    std::vector<std::size_t> place_of;
    for (std::size_t p = 0; p < places_.size(); ++p) {
      if (places_[p].pid == 0) continue;
      polled.push_back({places_[p].pipe, POLLIN, 0});
      place_of.push_back(p);
    }
    if (polled.empty()) return !stopped_ && next_ < count_;
    if (poll(polled.data(), polled.size(), 200) <= 0) return true;
    for (std::size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].revents != 0) take(places_[place_of[i]]);
    }
    return true;
  }

  void take(Child& child) {
    char buffer[1 << 16];
    const ssize_t got = read(child.pipe, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) return;
    if (got > 0) {
      child.received.append(buffer, static_cast<std::size_t>(got));
      return;
    }
    const int job = child.job;
    const std::string received = std::move(child.received);
    const int status = finish(child);
    ended_jobs_ += 1;
    JobOutcome outcome;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      Archive in(received);
      in(outcome);
    } else if (WIFSIGNALED(status)) {
      outcome.error = std::string("the run was ended by a signal: ") +
                      strsignal(WTERMSIG(status)) +
                      (WTERMSIG(status) == SIGKILL ? " (out of memory?)" : "");
    } else {
      outcome.error = "the run's process ended with status " + std::to_string(status);
    }
    ended_(job, outcome);
  }

  static int finish(Child& child) {
    close(child.pipe);
    int status = 0;
    while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
    }
    child = {};
    return status;
  }

  int count_;
  const Job& job_;
  const JobEnded& ended_;
  const JobWatch& watch_;
  SharedBoard board_;
  std::vector<Child> places_;
  int next_ = 0;
  int ended_jobs_ = 0;
  bool stopped_ = false;
};

}  // namespace

void JobOutcome::rethrow() const {
  switch (kind) {
    case Kind::wrong_input:
      throw InputError(diagnostics);
    case Kind::broken_law:
      throw BrokenLaw(error);
    default:
      throw WorldError(error);
  }
}

bool run_jobs(int count, int at_once, const Job& job, const JobEnded& ended,
              const JobWatch& watch) {
  return Jobs(count, at_once, job, ended, watch).run();
}

int default_jobs() {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace moesim
