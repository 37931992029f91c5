#include "sim/base/gzip.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"

namespace moesim {

namespace {

struct Close {
  void operator()(gzFile file) const { gzclose_r(file); }
};

}  // namespace

std::string read_text(const std::filesystem::path& path) {
  std::string content = read_file(path);
  if (!content.starts_with("\x1f\x8b")) return content;
  content.clear();
  const std::unique_ptr<gzFile_s, Close> file(gzopen(path.c_str(), "rb"));
  if (file == nullptr) throw WorldError(fmt::format("cannot read {}", path.string()));
  char buffer[1 << 16];
  int got = 0;
  while ((got = gzread(file.get(), buffer, sizeof buffer)) > 0) {
    content.append(buffer, static_cast<std::size_t>(got));
  }
  int code = Z_OK;
  const char* reason = gzerror(file.get(), &code);
  if (got < 0 || code != Z_OK) {
    // zlib's reason begins with the path.
    std::string_view why = code == Z_BUF_ERROR ? "unexpected end of file" : reason;
    if (const std::string prefix = path.string() + ": "; why.starts_with(prefix)) {
      why.remove_prefix(prefix.size());
    }
    const auto lines = static_cast<int>(std::ranges::count(content, '\n'));
    throw InputError({{Severity::error,
                       {path.string(), lines + 1, 1, ""},
                       fmt::format("the compressed data are damaged or cut off here ({})", why),
                       "a whole gzip file",
                       "pack or fetch it again"}});
  }
  return content;
}

}  // namespace moesim
