// moesim-calibrate: `moesim calibrate` without the simulator, and so without SimGrid and Boost.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>

#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "tools/cli/command.hpp"

int main(int argc, char** argv) {
  using namespace moesim;
  CLI::App app{"Times kernels and collectives on this machine's GPU.", "moesim-calibrate"};
  const Action action = declare_calibrate(app);
  try {
    app.parse(argc, argv);
    return action();
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kDone : kWrongInput;
  } catch (const InputError& e) {
    fmt::print(stderr, "{}\n", e.what());
    return kWrongInput;
  } catch (const std::exception& e) {
    fmt::print(stderr, "error: {}\n", e.what());
    return kFailed;
  }
}
