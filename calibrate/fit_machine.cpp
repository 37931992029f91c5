#include "calibrate/fit_machine.hpp"

#include <cmath>
#include <map>
#include <tuple>

#include "calibrate/devices.hpp"
#include "calibrate/held_out.hpp"
#include "sim/base/diagnostics.hpp"

namespace moesim {

namespace {

bool is_of(const Table& table, int row, const std::string& gpu) {
  const auto device = find_device(table.text(row, table.column("system")));
  return device && device->name == gpu;
}

bool positive(double value) { return value > 0 && std::isfinite(value); }

}  // namespace

bool is_all_to_all_table(const Table& table) {
  return table.has("ranks") && table.has("pattern") && table.has("bytes_per_rank");
}

bool is_energy_table(const Table& table) { return table.has("joules"); }

std::vector<ExchangeCurve> read_all_to_all(const Table& table, const std::string& gpu) {
  const int framework = table.column("framework"), version = table.column("version"),
            kernel = table.column("kernel_source"), ranks = table.column("ranks"),
            pattern = table.column("pattern"), bytes = table.column("bytes_per_rank"),
            latency = table.column("latency");
  using Id = std::tuple<std::string, std::string, std::string, int, std::string>;
  std::map<Id, std::map<double, std::vector<double>>> curves;
  Diagnostics wrong;
  for (int row = 0; row < table.rows(); ++row) {
    if (!is_of(table, row, gpu)) continue;
    const double size = table.number(row, bytes), time = table.number(row, latency) * 1e-3,
                 group = table.number(row, ranks);
    if (!positive(size) || !positive(time) || !(group >= 1)) {
      wrong.error(table.place(row),
                  "the ranks, bytes or time of this row are no positive number",
                  "ranks, bytes and latency above zero");
      continue;
    }
    const Id id{std::string(table.text(row, framework)), std::string(table.text(row, version)),
                std::string(table.text(row, kernel)), static_cast<int>(group),
                std::string(table.text(row, pattern))};
    curves[id][size].push_back(time);
  }
  wrong.throw_if_errors();
  std::vector<ExchangeCurve> out;
  for (const auto& [id, times] : curves) {
    ExchangeCurve curve{std::get<0>(id),
                        std::get<1>(id),
                        std::get<2>(id),
                        std::get<3>(id),
                        std::get<4>(id),
                        {},
                        {}};
    for (const auto& [size, seconds] : times) {
      curve.bytes.push_back(size);
      curve.seconds.push_back(quantile(seconds, 0.5));
    }
    out.push_back(std::move(curve));
  }
  return out;
}

std::vector<EnergyPoint> read_energy(const Table& table, const std::string& gpu) {
  const int kernel = table.column("kernel_source"), operation = table.column("operation"),
            latency = table.column("latency"), joules = table.column("joules"),
            watts = table.column("watts");
  std::vector<EnergyPoint> points;
  Diagnostics wrong;
  for (int row = 0; row < table.rows(); ++row) {
    if (!is_of(table, row, gpu) || table.text(row, joules).empty()) continue;
    const EnergyPoint point{
        std::string(table.text(row, kernel)), std::string(table.text(row, operation)),
        table.number(row, latency) * 1e-3, table.number(row, joules), table.number(row, watts)};
    if (positive(point.seconds) && positive(point.joules) && positive(point.watts)) {
      points.push_back(point);
    } else {
      wrong.error(table.place(row),
                  "the time, energy or power of this row is no positive number",
                  "latency, joules and watts above zero");
    }
  }
  wrong.throw_if_errors();
  return points;
}

}  // namespace moesim
