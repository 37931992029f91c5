#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "sim/base/files.hpp"
#include "sim/base/rng.hpp"
#include "sim/scenario/reference.hpp"
#include "tests/fuzz/feed.hpp"

using namespace moesim;
using namespace moesim::tests;

namespace {

std::vector<std::string> seeds() {
  std::vector<std::string> texts;
  for (const auto& file :
       std::filesystem::recursive_directory_iterator(MOESIM_SOURCE "/scenarios")) {
    if (file.path().extension() == ".toml") texts.push_back(read_file(file.path()));
  }
  std::ranges::sort(texts);  // a folder has no order
  return texts;
}

const char* const kPieces[] = {
    "=",          "[",       "]",    "[[",          "{",
    "}",          "\"",      "'''",  "\n",          ".",
    ",",          "#",       "0",    "-1",          "1e999",
    "nan",        "inf",     "true", "[[fault]]\n", "[model]\n",
    "preset = ",  "\\u0000", "\xff", "\xc3\x28",    "9223372036854775807",
    "1979-05-27", "_"};

// One to eight small damages.
std::string mutate(std::string text, const std::vector<std::string>& others, Stream& stream) {
  for (std::uint64_t n = 1 + stream.below(8); n > 0; --n) {
    const std::size_t at = stream.below(text.size() + 1);
    const std::size_t length = std::min<std::size_t>(stream.below(20), text.size() - at);
    switch (stream.below(6)) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, kPieces[stream.below(std::size(kPieces))]);
        break;
      case 2:
        text.insert(at, text.substr(at, length));
        break;
      case 3:
        if (at < text.size()) text[at] = static_cast<char>(stream.below(256));
        break;
      case 4: {
        const std::string& other = others[stream.below(others.size())];
        const std::size_t from = stream.below(other.size() + 1);
        text.insert(at, other.substr(from, stream.below(60)));
        break;
      }
      default:
        text.resize(at);
        break;
    }
  }
  return text;
}

}  // namespace

TEST_CASE("damaged scenarios are refused or read, never a crash") {
  const auto texts = seeds();
  int accepted = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Stream stream(seed, "damage");
    const std::string text = mutate(texts[stream.below(texts.size())], texts, stream);
    CAPTURE(seed);
    bool sound = false;
    CHECK_NOTHROW(sound = feed(text));
    accepted += sound ? 1 : 0;
  }
  CHECK(accepted < 2000);
}

TEST_CASE("any value for any key through --set is refused or read, never a crash") {
  const std::string start = read_file(MOESIM_SOURCE "/scenarios/quickstart.toml");
  const auto keys = all_keys();
  int accepted = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    Stream stream(seed, "any --set");
    std::string set = keys[stream.below(keys.size())];
    if (const auto at = set.find("[]"); at != std::string::npos) set.insert(at + 1, "0");
    set += "=";
    const char* const values[] = {"0",
                                  "1",
                                  "2",
                                  "-1",
                                  "7",
                                  "1e9",
                                  "1e308",
                                  "nan",
                                  "x",
                                  "",
                                  "[]",
                                  "{}",
                                  "[[1]]",
                                  "true",
                                  "64",
                                  "\"5 s\"",
                                  "5 GB",
                                  "100000000",
                                  "9223372036854775807",
                                  "0.5",
                                  "a\nb = 1",
                                  "'",
                                  "\xff"};
    set += values[stream.below(std::size(values))];
    CAPTURE(set);
    bool sound = false;
    CHECK_NOTHROW(sound = feed(start, {set}));
    accepted += sound ? 1 : 0;
  }
  CHECK(accepted > 50);
}
