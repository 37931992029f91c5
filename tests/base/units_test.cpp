#include "sim/base/units.hpp"

#include <catch2/catch.hpp>

#include "sim/base/units_text.hpp"

using namespace moesim;
using namespace moesim::literals;

TEST_CASE("bytes over bandwidth is seconds at compile time") {
  constexpr Seconds t = 64_MiB / 400.0_Gbps;
  static_assert(t.value > 0.00134217 && t.value < 0.00134218);
  CHECK(64_MiB / 64_MiB == 1.0);
  CHECK((2_per_s * 3_s) == 6.0);
}

TEST_CASE("a value with a unit reads into base units") {
  const auto read = [](auto q, std::string_view text) {
    return std::get<decltype(q)>(parse_quantity<decltype(q)>(text)).value;
  };
  CHECK(read(BytesPerSecond{}, "400 Gbps") == 50e9);
  CHECK(read(Bytes{}, "64 MiB") == 64.0 * 1048576);
  CHECK(read(Seconds{}, "500ms") == 0.5);
  CHECK(read(Seconds{}, " 2 h ") == 7200);
  CHECK(read(PerSecond{}, "1_200 req/min") == 20);
  CHECK(read(Tokens{}, "2048") == 2048);
  CHECK(read(DollarsPerSecond{}, "3.6 USD/h") == Approx(0.001));
}

TEST_CASE("a wrong unit or no number is told, with the units there are") {
  const auto problem = [](std::string_view text) {
    const auto parsed = parse_quantity<Seconds>(text);
    return std::holds_alternative<std::string>(parsed) ? std::get<std::string>(parsed) : "";
  };
  CHECK(problem("5 parsecs").find("known units are ns us ms s min h d") != std::string::npos);
  CHECK(problem("soon") == "does not begin with a number");
  CHECK(problem("") == "is empty");
  CHECK(problem("1..2 s") == "does not begin with a number");
  CHECK(problem("1e999 s") == "does not begin with a number");
}

TEST_CASE("what is written reads back to the same value") {
  for (const double v : {0.0, 1e-9, 0.3333333333333333, 1.5e-3, 7200.0, 123456.789}) {
    CHECK(std::get<Seconds>(parse_quantity<Seconds>(to_text(Seconds{v}))).value == v);
    CHECK(std::get<Bytes>(parse_quantity<Bytes>(to_text(Bytes{v * 1e9}))).value == v * 1e9);
  }
  CHECK(to_text(1.5_ms) == "1.5 ms");
  CHECK(to_display(Seconds{0.012345}) == "12.3 ms");
  CHECK(to_display(BytesPerSecond{450e9}) == "450 GB/s");
}
