#include "sim/router/trace_file.hpp"

namespace moesim {

namespace {

std::string_view without_gz(std::string_view path) {
  if (path.ends_with(".gz")) path.remove_suffix(3);
  return path;
}

}  // namespace

bool names_a_file(std::string_view skew) {
  return without_gz(skew).ends_with(".csv") || holds_tokens(skew);
}

bool holds_tokens(std::string_view path) { return without_gz(path).ends_with(".jsonl"); }

}  // namespace moesim
