// The bundled page and plotting scripts, held inside the program; empty when it was built
// without node and npm.
#pragma once

#include <string_view>

namespace moesim {

std::string_view page_script();
std::string_view page_style();
std::string_view plot_script();
std::string_view sweep_script();

}  // namespace moesim
