// Jobs in forked children.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <map>
#include <stdexcept>

#include "sim/base/errors.hpp"
#include "tools/fleet/jobs.hpp"

using namespace moesim;

namespace {

const JobWatch kGoOn = [](double) { return true; };

std::map<int, JobOutcome> outcomes(int count, int at_once, const Job& job,
                                   const JobWatch& watch = kGoOn) {
  std::map<int, JobOutcome> all;
  run_jobs(
      count, at_once, job, [&](int i, const JobOutcome& outcome) { all[i] = outcome; }, watch);
  return all;
}

}  // namespace

TEST_CASE("every job is run once and sends back its bytes, however many work at once") {
  for (const int at_once : {1, 3, 50}) {
    const auto all = outcomes(20, at_once, [](int i, const JobLink&) {
      return std::string(static_cast<std::size_t>(i) * 20000, static_cast<char>('a' + i));
    });
    REQUIRE(all.size() == 20);
    for (const auto& [i, outcome] : all) {
      REQUIRE(outcome.done());
      CHECK(outcome.data ==
            std::string(static_cast<std::size_t>(i) * 20000, static_cast<char>('a' + i)));
    }
  }
  CHECK(outcomes(0, 4, {}).empty());
}

TEST_CASE("what a job throws arrives as what it was") {
  const auto all = outcomes(5, 2, [](int i, const JobLink&) -> std::string {
    if (i == 0) throw InputError("it does not fit", "a larger GPU", "did you mean h200?");
    if (i == 1) throw WorldError("the disk is full");
    if (i == 2) throw BrokenLaw("bytes in = bytes out");
    if (i == 3) std::raise(SIGKILL);
    return "well";
  });
  CHECK_THROWS_AS(all.at(0).rethrow(), InputError);
  CHECK(all.at(0).diagnostics.front().hint == "did you mean h200?");
  CHECK_THROWS_AS(all.at(1).rethrow(), WorldError);
  CHECK(all.at(1).error == "the disk is full");
  CHECK_THROWS_AS(all.at(2).rethrow(), BrokenLaw);
  CHECK_THROWS_AS(all.at(3).rethrow(), WorldError);
  CHECK(all.at(3).error.find("Killed") != std::string::npos);
  CHECK(all.at(4).data == "well");
}

TEST_CASE("the watch stops jobs that ask, and no further one begins") {
  int asked = 0;
  const auto all = outcomes(
      10, 2,
      [](int, const JobLink& link) {
        link.progress(0.5);
        while (!link.stop()) usleep(1000);
        return std::string("partial");
      },
      [&](double share) {
        CHECK(share <= 1);
        return ++asked < 3;
      });
  CHECK(all.size() == 2);
  CHECK(all.at(0).data == "partial");
}

TEST_CASE("a callback that throws ends the children and their jobs") {
  const auto run = [] {
    run_jobs(
        4, 4,
        [](int i, const JobLink&) {
          if (i > 0) sleep(60);
          return std::string();
        },
        [](int, const JobOutcome&) { throw std::runtime_error("no room"); }, kGoOn);
  };
  CHECK_THROWS_WITH(run(), "no room");  // at once, not in a minute
}
