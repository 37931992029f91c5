#include "calibrate/fit_gemm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "calibrate/expert_points.hpp"
#include "calibrate/fit_roofline.hpp"

namespace moesim {

namespace {

RooflineWork work_of(double m, double n, double k, Dtype dtype) {
  return gemm_work(m, n, k, info(dtype).weight_bytes, info(dtype).activation_bytes);
}

std::vector<double> log_ratios(const GemmSection& section, const Device& device) {
  std::vector<double> out;
  const double flops = peak_flops(device, section.key.dtype).value;
  for (const double m : section.m) {
    for (const double n : section.n) {
      for (const double k : section.k) {
        const double model =
            roofline_time(section.roofline, work_of(m, n, k, section.key.dtype), flops,
                          device.memory_bandwidth.value);
        out.push_back(std::log(section.seconds[out.size()] / model));
      }
    }
  }
  return out;
}

// Those of `wanted` that were measured, and both ends of what was.
std::vector<double> knots(const std::set<double>& measured,
                          std::initializer_list<double> wanted) {
  std::set<double> out{*measured.begin(), *measured.rbegin()};
  for (const double value : wanted) {
    if (measured.contains(value)) out.insert(value);
  }
  return {out.begin(), out.end()};
}

}  // namespace

std::vector<GemmRow> read_gemm_rows(const Table& table, const std::string& gpu) {
  const int system = table.column("system"), framework = table.column("framework"),
            version = table.column("version"), kernel = table.column("kernel_source"),
            dtype = table.column("gemm_dtype"), m = table.column("m"), n = table.column("n"),
            k = table.column("k"), latency = table.column("latency"),
            purpose = table.has("purpose") ? table.column("purpose") : -1;
  std::vector<GemmRow> rows;
  Diagnostics wrong;
  for (int i = 0; i < table.rows(); ++i) {
    const auto device = find_device(table.text(i, system));
    if (!device || device->name != gpu) continue;
    GemmRow row{
        {std::string(table.text(i, framework)), std::string(table.text(i, version)),
         std::string(table.text(i, kernel)), table_dtype(table.text(i, dtype), table.place(i))},
        table.number(i, m),
        table.number(i, n),
        table.number(i, k),
        table.number(i, latency) * 1e-3,
        table.place(i),
        purpose >= 0 && table.text(i, purpose) == "holdout"};
    if (row.m > 0 && row.n > 0 && row.k > 0 && row.seconds > 0 && std::isfinite(row.seconds)) {
      rows.push_back(std::move(row));
    } else {
      wrong.error(row.place, "a size or time of this row is no positive number",
                  "m, n, k and latency above zero");
    }
  }
  wrong.throw_if_errors();
  return rows;
}

std::string impossible(const GemmRow& row, const Device& device) {
  const RooflineWork work = work_of(row.m, row.n, row.k, row.key.dtype);
  const double flops = peak_flops(device, row.key.dtype).value;
  if (work.flops / row.seconds > flops) {
    return fmt::format("{:.0f} Tflops/s, above the peak of {:.0f}",
                       work.flops / row.seconds / 1e12, flops / 1e12);
  }
  if ((work.weight_bytes - device.l2_cache.value) / row.seconds >
      device.memory_bandwidth.value) {
    return "reads its weights above the memory's peak";
  }
  return "";
}

GemmModel::GemmModel(const GemmSection& section, const Device& device)
    : dtype_(section.key.dtype),
      fit_(section.roofline),
      peak_flops_(peak_flops(device, section.key.dtype).value),
      peak_bandwidth_(device.memory_bandwidth.value),
      grid_(section.m, section.n, section.k, log_ratios(section, device)) {}

double GemmModel::roofline(double m, double n, double k) const {
  return roofline_time(fit_, work_of(m, n, k, dtype_), peak_flops_, peak_bandwidth_);
}

double GemmModel::predict(double m, double n, double k) const {
  return roofline(m, n, k) * std::exp(grid_.at(m, n, k));
}

std::vector<GemmSection> fit_gemm_sections(const std::vector<GemmRow>& rows,
                                           const Device& device) {
  using SectionId = std::tuple<std::string, std::string, std::string, Dtype>;
  using Size = std::tuple<double, double, double>;
  std::map<SectionId, std::map<Size, double>> groups, held_out;
  for (const GemmRow& row : rows) {
    const SectionId id{row.key.engine, row.key.version, row.key.kernel, row.key.dtype};
    auto& to = row.held_out ? held_out : groups;
    to[id].try_emplace({row.m, row.n, row.k}, row.seconds);
  }
  std::vector<GemmSection> sections;
  for (const auto& [id, times] : groups) {
    GemmSection section;
    section.key = {std::get<0>(id), std::get<1>(id), std::get<2>(id), std::get<3>(id)};
    std::set<double> m, n, k;
    std::vector<RooflinePoint> points;
    std::size_t at = 0;
    for (const auto& [size, seconds] : times) {
      const auto& [a, b, c] = size;
      m.insert(a);
      n.insert(b);
      k.insert(c);
      if (at++ % 8 == 0) points.push_back({work_of(a, b, c, section.key.dtype), seconds});
    }
    section.roofline = fit_roofline(points, peak_flops(device, section.key.dtype).value,
                                    device.memory_bandwidth.value);
    section.m =
        knots(m, {1,    4,    8,    16,   17,   32,   33,   48,   64,   65,    96,   97,
                  128,  129,  192,  193,  256,  257,  512,  513,  768,  769,   1024, 1025,
                  1536, 1537, 2048, 2049, 3072, 3073, 4096, 4097, 8192, 16384, 32768});
    section.n =
        knots(n, {128, 256, 512, 1024, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 65536});
    section.k =
        knots(k, {128, 256, 512, 1024, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 65536});
    std::set<Size> kept;
    for (const double a : section.m) {
      for (const double b : section.n) {
        for (const double c : section.k) {
          const auto found = times.find({a, b, c});
          section.seconds.push_back(found == times.end() ? NAN : found->second);
          kept.insert({a, b, c});
        }
      }
    }
    const GemmModel model(section, device);
    std::vector<HeldOutPoint> held;
    for (const auto& [size, seconds] : times) {
      const auto& [a, b, c] = size;
      if (kept.contains(size)) continue;
      held.push_back({a, model.predict(a, b, c), seconds});
    }
    for (const auto& [size, seconds] : held_out[id]) {
      const auto& [a, b, c] = size;
      held.push_back({a, model.predict(a, b, c), seconds});
    }
    section.points_left_out =
        summarize_held_out("the measured points between the grid's knots", held);
    sections.push_back(std::move(section));
  }
  return sections;
}

bool GemmSection::operator==(const GemmSection& other) const {
  return key == other.key && roofline == other.roofline && m == other.m && n == other.n &&
         k == other.k && points_left_out == other.points_left_out &&
         std::equal(
             seconds.begin(), seconds.end(), other.seconds.begin(), other.seconds.end(),
             [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); });
}

}  // namespace moesim
