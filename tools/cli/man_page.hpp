// The man page, from the commands' own descriptions.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace moesim {

// roff with the man macros: moesim(1) with every command, its options and examples.
std::string man_page(const CLI::App& program);

}  // namespace moesim
