// A sweep's store for people.
#pragma once

#include <string>

#include "tools/fleet/store.hpp"

namespace moesim {

// One line per run: its settings and the figures that planning needs; what failed, below.
std::string store_table(const StoreContent& store);

// One self-contained file: figures against each key, heat maps of two keys, cost against
// latency, and all runs as a table.
std::string store_html(const StoreContent& store);

}  // namespace moesim
