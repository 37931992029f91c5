// What of the router's balance should alarm the reader of a result.
#pragma once

#include "sim/router/options.hpp"
#include "tools/report/result.hpp"

namespace moesim {

// One note per limit that is crossed, naming the worst layer and window. Windows with fewer
// than 100 tokens per expert are left out.
void add_router_alerts(const RouterAlertOptions& alert, Result& result);

}  // namespace moesim
