// network_fit TABLES OUT: fits every transport in the folder TABLES and writes the records to
// the file OUT; errors go to standard error.
#include <fmt/format.h>

#include <cstdio>

#include "calibrate/network_fit/fit.hpp"
#include "sim/base/files.hpp"

int main(int argc, char** argv) {
  using namespace moesim;
  if (argc != 3) {
    std::fputs("usage: network_fit FOLDER_OF_TABLES OUT.csv\n", stderr);
    return 2;
  }
  try {
    auto records = network_fit::fit_all(network_fit::read_samples(argv[1]));
    for (const TransportRecord& r : records) {
      fmt::print(stderr, "{:60} {:8} {:5} + {:4}  median {:5.1f} %  p90 {:5.1f} %\n", r.name,
                 r.op, r.trained, r.held_out, 100 * r.median_error, 100 * r.p90_error);
    }
    write_file(argv[2], write_transport_records(records));
  } catch (const std::exception& error) {
    fmt::print(stderr, "network_fit: {}\n", error.what());
    return 1;
  }
  return 0;
}
