// Topology files of other tools as clusters: what they say about nodes and cables replaces the
// options' own, the GPU stays.
//
//   NCCL     the XML that NCCL_TOPO_DUMP_FILE writes: the inside of one node
//   SimAI    the text of its topology generator: servers, switches, links
//   ASTRA-sim    the YAML of its analytical network: dimensions of NPUs
#pragma once

#include "topology/options.hpp"

namespace moesim {

// With fabric = "import" the cluster that options.file describes, under a fabric that needs no
// file; any other options as they are. Throws InputError with file and line where the file is
// none of these formats, damaged, or says what cannot be mapped; WorldError when it cannot be
// read.
ClusterOptions imported(const ClusterOptions& options);

// One format each; `text` is the content, `file` its name in messages.
ClusterOptions import_simai(ClusterOptions options, const std::string& text,
                            const std::string& file);
ClusterOptions import_astra(ClusterOptions options, const std::string& text,
                            const std::string& file);
ClusterOptions import_nccl(ClusterOptions options, const std::string& text,
                           const std::string& file);

}  // namespace moesim
