#include "sim/base/files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "sim/base/errors.hpp"

namespace moesim {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const char* what, const fs::path& path) {
  throw WorldError(fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

}  // namespace

FileWriter::FileWriter(fs::path path)
    : path_(std::move(path)),
      draft_(fmt::format("{}.{}.part", path_.string(), ::getpid())),
      out_(draft_, std::ios::binary) {
  if (!out_) fail("write", path_);
}

FileWriter::~FileWriter() {
  if (!out_.is_open()) return;
  out_.close();
  std::error_code ignored;
  fs::remove(draft_, ignored);
}

void FileWriter::append(std::string_view content) {
  out_.write(content.data(), static_cast<std::streamsize>(content.size()));
  if (!out_) fail("write", path_);
}

void FileWriter::commit() {
  out_.flush();
  if (!out_) fail("write", path_);
  out_.close();
  std::error_code problem;
  if (out_) fs::rename(draft_, path_, problem);
  if (out_ && !problem) return;
  const std::string reason = problem ? problem.message() : std::strerror(errno);
  std::error_code ignored;
  fs::remove(draft_, ignored);
  throw WorldError(fmt::format("cannot write {}: {}", path_.string(), reason));
}

void write_file(const fs::path& path, std::string_view content) {
  FileWriter file(path);
  file.append(content);
  file.commit();
}

std::string read_file(const fs::path& path) {
  if (fs::is_directory(path)) {
    throw WorldError(fmt::format("cannot read {}: it is a folder, not a file", path.string()));
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) fail("read", path);
  std::ostringstream content;
  content << in.rdbuf();
  if (in.bad()) fail("read", path);
  return std::move(content).str();
}

fs::path data_folder() {
  if (const char* set = std::getenv("MOESIM_DATA"); set != nullptr && *set != '\0') return set;
  std::error_code problem;
  const fs::path program = fs::read_symlink("/proc/self/exe", problem);
  if (!problem) {
    // build/<preset>/moesim in the source tree, or <prefix>/bin/moesim when installed.
    for (fs::path up = program.parent_path(); up.has_relative_path(); up = up.parent_path()) {
      if (fs::exists(up / "scenarios" / "systems")) return up;
      if (fs::exists(up / "share" / "moesim" / "scenarios")) return up / "share" / "moesim";
    }
  }
  return fs::current_path();
}

}  // namespace moesim
