#include "calibrate/import/import.hpp"

#include <fmt/format.h>

#include <array>

#include "calibrate/table.hpp"
#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"
#include "sim/base/spelling.hpp"
#include "sim/base/units_text.hpp"

namespace moesim {

namespace {

std::string collectives(const std::string& what, const std::filesystem::path& path,
                        const std::vector<CollectivePoint>& points) {
  std::string out = fmt::format("# source: {} output, {}\n", what, path.filename().string());
  out += "op,ranks,bytes_per_rank,time_s,bus_bandwidth_bytes_per_s,note\n";
  for (const CollectivePoint& p : points) {
    out += fmt::format("{},{},{},{:.6g},{:.6g},{}\n", p.op, p.ranks, number_text(p.bytes),
                       p.seconds, p.bus_bandwidth, p.note);
  }
  return out;
}

// A table that `calibrate fit` would read: its key column and its times are there.
std::string kernels(const std::filesystem::path& path) {
  const Table table = Table::read(path);
  bool known = false;
  for (const char* key : {"moe_dtype", "gemm_dtype", "mla_dtype", "bmm_dtype", "attn_dtype"}) {
    known = known || table.has(key);
  }
  if (!known) {
    throw InputError({{Severity::error,
                       {table.file(), 0, 0, ""},
                       "this is no table of kernel times",
                       "a column moe_dtype, gemm_dtype, attn_dtype, mla_dtype or bmm_dtype",
                       "see calibrate/README.md for the layouts"}});
  }
  const int latency = table.column("latency");
  Diagnostics wrong;
  for (int row = 0; row < table.rows(); ++row) {
    if (!(table.number(row, latency) > 0)) {
      wrong.error(table.place(row),
                  fmt::format("latency '{}' is no time", table.text(row, latency)),
                  "milliseconds above zero");
    }
  }
  wrong.throw_if_errors();
  return read_file(path);
}

}  // namespace

std::string import_table(const std::string& kind, const std::filesystem::path& path) {
  if (kind == "nccl") {
    return collectives("nccl-tests", path, import_nccl(path.string(), read_file(path)));
  }
  if (kind == "deepep") {
    return collectives("DeepEP", path, import_deepep(path.string(), read_file(path)));
  }
  if (kind == "kernels") return kernels(path);
  const std::array<std::string, 3> known{"nccl", "deepep", "kernels"};
  throw InputError(fmt::format("cannot import '{}'", kind), "one of nccl, deepep, kernels",
                   did_you_mean(kind, known));
}

}  // namespace moesim
