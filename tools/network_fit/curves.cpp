#include "tools/network_fit/curves.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "tools/network_fit/rows.hpp"

namespace moesim::network_fit {
namespace {

using Key = std::tuple<std::string, std::string, std::string, int>;  // system library op ranks
using Points = std::map<double, double>;                             // bytes -> seconds

// "2.29.2" after "2.3": compares the numbers.
std::vector<int> version_of(const std::string& text) {
  std::vector<int> parts;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t used = 0;
    if (!std::isdigit(static_cast<unsigned char>(text[at]))) {
      ++at;
      continue;
    }
    parts.push_back(std::stoi(text.substr(at), &used));
    at += used;
  }
  return parts;
}

bool is_wanted(const Row& row, bool custom) {
  if (!custom) return row.at("nccl_dtype") == "half" && row.at("framework") == "nccl";
  return row.at("kernel_source") == "SGLang_CustomAllReduce_graph";
}

void read(const std::string& path, bool custom, std::map<Key, Points>& out) {
  const std::vector<Row> rows = read_csv(path);
  std::map<Key, std::vector<int>> newest;
  const auto key_of = [&](const Row& row) {
    return Key{row.at("system"), custom ? "custom" : "nccl", row.at("op_name"),
               static_cast<int>(number(row, "num_gpus"))};
  };
  for (const Row& row : rows) {
    if (!is_wanted(row, custom)) continue;
    std::vector<int>& best = newest[key_of(row)];
    best = std::max(best, version_of(row.at("version")));
  }
  for (const Row& row : rows) {
    if (!is_wanted(row, custom)) continue;
    const Key key = key_of(row);
    if (version_of(row.at("version")) != newest[key]) continue;
    const double bytes = number(row, "message_size") * (custom ? 1 : 2);
    out[key][bytes] = number(row, "latency") * 1e-3;
  }
}

}  // namespace

std::vector<CollectiveCurve> read_measured_curves(const std::string& folder) {
  std::map<Key, Points> curves;
  read(folder + "/nccl_one_node.csv.gz", false, curves);
  read(folder + "/custom_allreduce.csv.gz", true, curves);
  std::vector<CollectiveCurve> out;
  for (const auto& [key, points] : curves) {
    CollectiveCurve curve{
        std::get<0>(key), std::get<1>(key), std::get<2>(key), std::get<3>(key), {}, {}};
    for (const auto& [bytes, seconds] : points) {
      curve.bytes.push_back(bytes);
      curve.seconds.push_back(seconds);
    }
    out.push_back(std::move(curve));
  }
  return out;
}

std::vector<CollectiveCurve> thinned(const std::vector<CollectiveCurve>& measured) {
  std::vector<CollectiveCurve> out;
  for (const CollectiveCurve& full : measured) {
    CollectiveCurve thin{full.system, full.library, full.op, full.ranks, {}, {}};
    for (std::size_t i = 0; i < full.bytes.size(); ++i) {
      if (i % 2 == 1 && i + 1 < full.bytes.size()) continue;
      thin.bytes.push_back(full.bytes[i]);
      thin.seconds.push_back(full.seconds[i]);
    }
    out.push_back(std::move(thin));
  }
  return out;
}

std::vector<double> curve_errors(const std::vector<CollectiveCurve>& thin,
                                 const std::vector<CollectiveCurve>& measured,
                                 const std::string& library, const std::string& op) {
  std::vector<double> errors;
  for (const CollectiveCurve& full : measured) {
    if (full.library != library || full.op != op) continue;
    const auto kept = std::find_if(thin.begin(), thin.end(), [&](const CollectiveCurve& c) {
      return c.system == full.system && c.library == full.library && c.op == full.op &&
             c.ranks == full.ranks;
    });
    if (kept == thin.end()) continue;
    for (std::size_t i = 0; i < full.bytes.size(); ++i) {
      if (std::binary_search(kept->bytes.begin(), kept->bytes.end(), full.bytes[i])) continue;
      errors.push_back(
          std::abs(read_curve(*kept, Bytes{full.bytes[i]}).value / full.seconds[i] - 1));
    }
  }
  std::sort(errors.begin(), errors.end());
  return errors;
}

}  // namespace moesim::network_fit
