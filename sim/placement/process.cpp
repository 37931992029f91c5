#include "sim/placement/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

struct Pipe {
  int read = -1;
  int write = -1;

  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw WorldError(fmt::format("no pipe to a program: {}", std::strerror(errno)));
    }
    read = ends[0];
    write = ends[1];
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_read();
    close_write();
  }
  void close_read() { close_one(read); }
  void close_write() { close_one(write); }

 private:
  static void close_one(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
};

// A child in a process group of its own; killed with its children when it goes out of scope
// before it has been waited for.
class Child {
 public:
  Child(const std::string& command, Pipe& in, Pipe& out, Pipe& err) {
    pid_ = ::fork();
    if (pid_ < 0) throw WorldError(fmt::format("cannot fork: {}", std::strerror(errno)));
    if (pid_ == 0) {
      ::setpgid(0, 0);
      ::dup2(in.read, STDIN_FILENO);
      ::dup2(out.write, STDOUT_FILENO);
      ::dup2(err.write, STDERR_FILENO);
      ::execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::setpgid(pid_, pid_);
    in.close_read();
    out.close_write();
    err.close_write();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    wait();
  }
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_ = 0;
};

// False at the end of the stream.
bool read_some(int end, std::string& text) {
  std::array<char, 65536> block;
  const auto n = ::read(end, block.data(), block.size());
  if (n > 0) text.append(block.data(), static_cast<std::size_t>(n));
  return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

// True once nothing is left to write (or the program does not want it).
bool write_some(int end, std::string_view& text) {
  const auto n = ::write(end, text.data(), text.size());
  if (n < 0) return errno != EINTR && errno != EAGAIN;
  text.remove_prefix(static_cast<std::size_t>(n));
  return text.empty();
}

std::string tail(const std::string& text) {
  constexpr std::size_t kMost = 400;
  return text.size() > kMost ? "..." + text.substr(text.size() - kMost) : text;
}

// A program that closes its stdin early must not end us with SIGPIPE.
class IgnoreBrokenPipe {
 public:
  IgnoreBrokenPipe() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, &before_);
  }
  IgnoreBrokenPipe(const IgnoreBrokenPipe&) = delete;
  IgnoreBrokenPipe& operator=(const IgnoreBrokenPipe&) = delete;
  ~IgnoreBrokenPipe() { ::sigaction(SIGPIPE, &before_, nullptr); }

 private:
  struct sigaction before_ {};
};

}  // namespace

std::string run_program(const std::string& command, std::string_view input, Seconds limit) {
  const IgnoreBrokenPipe quiet;
  Pipe in;
  Pipe out;
  Pipe err;
  Child child(command, in, out, err);
  ::fcntl(in.write, F_SETFL, O_NONBLOCK);
  std::string output;
  std::string errors;
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(limit.value);
  while (out.read >= 0 || err.read >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0) {
      throw WorldError(fmt::format("'{}' gave no placement within {} s and was stopped",
                                   command, limit.value));
    }
    std::array<pollfd, 3> ends{
        {{in.write, POLLOUT, 0}, {out.read, POLLIN, 0}, {err.read, POLLIN, 0}}};
    if (::poll(ends.data(), ends.size(), static_cast<int>(std::min<long>(left.count(), 1000))) <
        0) {
      if (errno == EINTR) continue;
      throw WorldError(fmt::format("'{}': {}", command, std::strerror(errno)));
    }
    if (ends[0].revents != 0 && write_some(in.write, input)) in.close_write();
    if (ends[1].revents != 0 && !read_some(out.read, output)) out.close_read();
    if (ends[2].revents != 0 && !read_some(err.read, errors)) err.close_read();
  }
  const int status = child.wait();
  if (WIFSIGNALED(status)) {
    throw WorldError(fmt::format("'{}' was ended by signal {} ({})\n{}", command,
                                 WTERMSIG(status), ::strsignal(WTERMSIG(status)),
                                 tail(errors)));
  }
  if (WEXITSTATUS(status) != 0) {
    throw WorldError(fmt::format("'{}' ended with status {}\n{}", command, WEXITSTATUS(status),
                                 tail(errors)));
  }
  return output;
}

}  // namespace moesim
