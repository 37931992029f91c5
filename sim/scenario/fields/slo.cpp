#include "sim/metrics/options.hpp"
#include "sim/scenario/fields.hpp"

namespace moesim {

namespace {

Field promise(std::string name, Seconds SloOptions::*member, std::string doc) {
  return field(std::move(name), member, std::move(doc)).range(0).unset("no promise");
}

}  // namespace

const FieldTable& slo_fields() {
  using O = SloOptions;
  static const FieldTable fields{
      "Percentiles that are promised; `run --check-slo` exits 3 when one is missed.",
      "",
      {
          promise(MOESIM_KEY(ttft_p50), "Median time from arrival to the first token"),
          promise(MOESIM_KEY(ttft_p90), "90th percentile of the time to the first token"),
          promise(MOESIM_KEY(ttft_p99), "99th percentile of the time to the first token"),
          promise(MOESIM_KEY(tpot_p50), "Median time per output token after the first"),
          promise(MOESIM_KEY(tpot_p90), "90th percentile of the time per output token"),
          promise(MOESIM_KEY(tpot_p99), "99th percentile of the time per output token"),
          promise(MOESIM_KEY(e2el_p50), "Median time from arrival to the last token"),
          promise(MOESIM_KEY(e2el_p90), "90th percentile of the time to the last token"),
          promise(MOESIM_KEY(e2el_p99), "99th percentile of the time to the last token"),
      }};
  return fields;
}

}  // namespace moesim
