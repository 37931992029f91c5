// Runs a computation in a child process and brings its numbers back: SimGrid's engine is one
// per process and cannot start again.
#pragma once

#include <functional>
#include <vector>

namespace moesim {

// Throws WorldError when the child cannot be started or dies; rethrows an InputError or
// BrokenLaw of the child as one with the same text.
std::vector<double> in_child(const std::function<std::vector<double>()>& compute);

}  // namespace moesim
