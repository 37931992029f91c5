// report_sample FOLDER [NODES]: the made-up run's folder, for the browser test and for a look.
#include <cstdlib>

#include "tests/report/sample_run.hpp"

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  moesim::SampleSize size;
  if (argc > 2) size.nodes = std::atoi(argv[2]);
  moesim::write_sample(argv[1], size);
  return 0;
}
