#include "tools/report/assets.hpp"

// The assembler reads the files: a bundle of .7 MB as a C++ array would take seconds to
// compile.
#define MOESIM_EMBED(name, file)                                                          \
  __asm__(".pushsection .rodata\n.global " #name "\n.hidden " #name "\n" #name            \
          ":\n.incbin \"" MOESIM_WEB "/" file "\"\n.global " #name "_end\n.hidden " #name \
          "_end\n" #name "_end:\n.byte 0\n.popsection\n");                                \
  extern "C" const char name[];                                                           \
  extern "C" const char name##_end[];

MOESIM_EMBED(moesim_page_js, "page.js")
MOESIM_EMBED(moesim_page_css, "style.css")
MOESIM_EMBED(moesim_plot_js, "plot.js")
MOESIM_EMBED(moesim_sweep_js, "sweep.js")

namespace moesim {

std::string_view page_script() { return {moesim_page_js, moesim_page_js_end}; }
std::string_view page_style() { return {moesim_page_css, moesim_page_css_end}; }
std::string_view plot_script() { return {moesim_plot_js, moesim_plot_js_end}; }
std::string_view sweep_script() { return {moesim_sweep_js, moesim_sweep_js_end}; }

}  // namespace moesim
