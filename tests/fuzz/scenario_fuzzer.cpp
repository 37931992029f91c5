// libFuzzer's entry: the first line is a --set argument, the rest a file.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/feed.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(all.find('\n'), all.size());
  moesim::tests::feed(all.substr(end), {});
  moesim::tests::feed(all, {std::string(all.substr(0, end))});
  return 0;
}
