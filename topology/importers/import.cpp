#include "topology/import.hpp"

#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"

namespace moesim {

ClusterOptions imported(const ClusterOptions& options) {
  if (options.fabric != "import") return options;
  if (options.file.empty()) {
    throw InputError("cluster.fabric = \"import\" without cluster.file",
                     "file = an NCCL topology XML, a SimAI topology or an ASTRA-sim YAML");
  }
  const std::string text = read_file(options.file);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) {
    throw InputError(
        std::vector<Diagnostic>{{Severity::error,
                                 {options.file, 1, 0, {}},
                                 "the file is empty",
                                 "an NCCL topology XML, a SimAI topology or an ASTRA-sim YAML",
                                 {}}});
  }
  if (text[first] == '<') return import_nccl(options, text, options.file);
  if (text[first] >= '0' && text[first] <= '9')
    return import_simai(options, text, options.file);
  return import_astra(options, text, options.file);
}

}  // namespace moesim
