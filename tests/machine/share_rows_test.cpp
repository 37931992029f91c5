#include "sim/machine/share_rows.hpp"

#include <catch2/catch.hpp>
#include <numeric>

#include "sim/base/rng.hpp"

using namespace moesim;

namespace {

// Columns in which most rows agree, some in which none do.
std::vector<double> random_table(Stream& random, std::size_t groups, std::size_t places) {
  std::vector<double> values(groups * places, 0.25);
  for (double& value : values) {
    if (random.uniform() < 0.3) value = random.uniform();
  }
  return values;
}

}  // namespace

TEST_CASE("Rows of shares hold the table they are made of") {
  Stream random(3, "share rows");
  for (int i = 0; i < 50; ++i) {
    const std::size_t groups = 1 + random.below(9);
    const std::size_t places = 1 + random.below(20);
    const std::vector<double> table = random_table(random, groups, places);
    const ShareRows rows(static_cast<int>(groups), table);
    CHECK(rows.whole() == table);
    for (std::size_t g = 0; g < groups; ++g) {
      const double* row = &table[g * places];
      CHECK(rows.sum(g) == Approx(std::accumulate(row, row + places, 0.0)));
      for (std::size_t p = 0; p < places; ++p) CHECK(rows.at(g, p) == row[p]);
      const std::size_t from = random.below(places);
      std::vector<double> part(places - from);
      rows.expand(g, from, part);
      CHECK(std::equal(part.begin(), part.end(), row + from));
    }
  }
}

TEST_CASE("Where most groups do the same, the others are the only cells") {
  const ShareRows rows(4, std::vector<double>{1, 5, 1, 6, 2, 5, 1, 5});  // two places
  CHECK(rows.usual == std::vector<double>{1, 5});
  REQUIRE(rows.cells.size() == 2);
  CHECK((rows.cells[0].group == 1 && rows.cells[0].place == 1 && rows.cells[0].value == 6));
  CHECK((rows.cells[1].group == 2 && rows.cells[1].place == 0 && rows.cells[1].value == 2));
  double departures = 0;
  rows.each_departure([&](std::size_t, std::size_t, double by) { departures += by; });
  CHECK(departures == 2);
}
