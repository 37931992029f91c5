#include "sim/simgrid/in_child.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"

namespace moesim {
namespace {

// One letter for the kind of result, then its bytes.
constexpr char kNumbers = 'n', kInput = 'i', kLaw = 'l', kOther = 'o';

void send_all(int pipe, const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t sent = write(pipe, at, size);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) _exit(1);
    at += sent;
    size -= static_cast<std::size_t>(sent);
  }
}

[[noreturn]] void answer(int pipe, const std::function<std::vector<double>()>& compute) {
  const auto fail = [&](char kind, const char* text) {
    send_all(pipe, &kind, 1);
    send_all(pipe, text, std::strlen(text));
    _exit(0);
  };
  try {
    const std::vector<double> numbers = compute();
    send_all(pipe, &kNumbers, 1);
    send_all(pipe, numbers.data(), numbers.size() * sizeof(double));
  } catch (const InputError& error) {
    fail(kInput, error.diagnostics().front().message.c_str());
  } catch (const BrokenLaw& error) {
    fail(kLaw, error.what());
  } catch (const std::exception& error) {
    fail(kOther, error.what());
  }
  _exit(0);  // no destructors: SimGrid's engine is left as it is
}

std::string receive(int pipe) {
  std::string all;
  char buffer[1 << 16];
  while (true) {
    const ssize_t got = read(pipe, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return all;
    all.append(buffer, static_cast<std::size_t>(got));
  }
}

}  // namespace

std::vector<double> in_child(const std::function<std::vector<double>()>& compute) {
  int ends[2];
  if (pipe(ends) != 0) throw WorldError(std::string("no pipe: ") + std::strerror(errno));
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) {
    close(ends[0]);
    close(ends[1]);
    throw WorldError(std::string("no child process: ") + std::strerror(errno));
  }
  if (child == 0) {
    close(ends[0]);
    answer(ends[1], compute);
  }
  close(ends[1]);
  const std::string reply = receive(ends[0]);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (reply.empty() || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw WorldError("the SimGrid child process died (wait status " + std::to_string(status) +
                     ")");
  }
  const std::string rest = reply.substr(1);
  if (reply[0] == kInput) throw InputError(rest, "");
  if (reply[0] == kLaw) throw BrokenLaw(rest);
  if (reply[0] == kOther) throw WorldError("in the SimGrid child process: " + rest);
  std::vector<double> numbers(rest.size() / sizeof(double));
  std::memcpy(numbers.data(), rest.data(), numbers.size() * sizeof(double));
  return numbers;
}

}  // namespace moesim
