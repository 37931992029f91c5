#include "calibrate/fit_memory.hpp"

#include <algorithm>
#include <cmath>

#include "calibrate/residuals.hpp"

namespace moesim {

namespace {

bool moves_data(const MemoryRow& row) {
  return row.op != "graph_node" && row.op != "stream_launch";
}

}  // namespace

bool is_memory_table(const Table& table) {
  return table.has("op") && table.has("bytes") && table.has("latency");
}

std::vector<MemoryRow> read_memory_rows(const Table& table, const std::string& gpu) {
  const int system = table.column("system"), op = table.column("op"),
            bytes = table.column("bytes"), latency = table.column("latency");
  std::vector<MemoryRow> rows;
  Diagnostics wrong;
  for (int i = 0; i < table.rows(); ++i) {
    const auto device = find_device(table.text(i, system));
    if (!device || device->name != gpu) continue;
    MemoryRow row{std::string(table.text(i, op)), table.number(i, bytes),
                  table.number(i, latency) * 1e-3, table.place(i)};
    if (row.bytes >= 0 && row.seconds > 0 && std::isfinite(row.seconds)) {
      rows.push_back(std::move(row));
    } else {
      wrong.error(row.place, "the bytes or time of this row are no positive number",
                  "bytes from zero, latency above zero");
    }
  }
  wrong.throw_if_errors();
  return rows;
}

void fit_memory(const std::vector<MemoryRow>& rows, const Device& device, Profile& profile) {
  const double peak = device.memory_bandwidth.value;
  std::vector<double> shares, launches, nodes, streams;
  for (const MemoryRow& row : rows) {
    if (row.op == "graph_node") nodes.push_back(row.seconds);
    if (row.op == "stream_launch") streams.push_back(row.seconds);
  }
  profile.memory.graph_node = Seconds{quantile(nodes, 0.5)};
  profile.memory.stream_launch = Seconds{quantile(streams, 0.5)};
  for (const MemoryRow& row : rows) {
    if (moves_data(row) && row.bytes / row.seconds < 0.1 * peak)
      launches.push_back(row.seconds);
  }
  if (launches.empty()) return;
  MemoryKernels fit = profile.memory;
  fit.launch = Seconds{quantile(launches, 0.5)};
  for (const MemoryRow& row : rows) {
    if (!moves_data(row) || row.bytes < 4 * device.l2_cache.value) continue;
    const double share = row.bytes / (row.seconds - fit.launch.value) / peak;
    if (share > 0 && share <= 1) shares.push_back(share);
  }
  if (shares.empty()) return;
  fit.bandwidth = quantile(shares, 0.5);
  fit.provenance = profile.provenance;
  std::vector<double> errors;
  for (const MemoryRow& row : rows) {
    if (!moves_data(row)) continue;
    const double predicted = fit.launch.value + row.bytes / (fit.bandwidth * peak);
    errors.push_back(std::abs(predicted / row.seconds - 1));
  }
  fit.error = quantile(errors, 0.5);
  profile.memory = fit;
}

}  // namespace moesim
