#include "sim/base/diagnostics.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

TEST_CASE("a diagnostic shows file, line, column, the line, a caret, the expectation, a hint") {
  const Diagnostic d{Severity::error,
                     {"a.toml", 3, 8, "nodes = -1"},
                     "cluster.nodes is -1",
                     "at least 1",
                     "try 8"};
  CHECK(render(d, Color::off) ==
        "a.toml:3:8: error: cluster.nodes is -1\n"
        "     3 | nodes = -1\n"
        "       |        ^\n"
        "       = expected: at least 1\n"
        "       = hint: try 8\n");
}

TEST_CASE("control characters of a binary file do not reach the terminal") {
  const Diagnostic d{Severity::error, {"a", 1, 1, "\x1b[31m\x01"}, "x\x07y", "", ""};
  const std::string text = render(d, Color::off);
  for (const char c : text) CHECK((c == '\n' || static_cast<unsigned char>(c) >= 0x20));
}

TEST_CASE("warnings alone do not stop; one error stops with everything told") {
  Diagnostics all;
  all.warning({}, "hm");
  CHECK_NOTHROW(all.throw_if_errors());
  all.error({}, "first");
  all.error({}, "second");
  try {
    all.throw_if_errors();
    FAIL("did not throw");
  } catch (const InputError& e) {
    CHECK(e.diagnostics().size() == 3);
  }
}
