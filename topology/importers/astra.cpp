// ASTRA-sim's analytical network: one entry per dimension, innermost first.
//
//   topology: [ Switch, Switch ]
//   npus_count: [ 8, 4 ]
//   bandwidth: [ 450.0, 50.0 ]  # GB/s per NPU and direction
//   latency: [ 500.0, 2000.0 ]  # ns per link
//
// The first dimension is the inside of a node and must be a Switch. In every other one, NPUs
// that differ in that dimension alone hang on one switch (Switch) or on each other
// (FullyConnected, Ring).
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "sim/base/diagnostics.hpp"
#include "topology/import.hpp"

namespace moesim {
namespace {

struct Tier {
  std::string kind;
  int npus = 1;
  BytesPerSecond bandwidth{0};
  Seconds latency{0};
};

[[noreturn]] void fail(const std::string& file, const YAML::Mark& mark,
                       const std::string& message, const std::string& expected) {
  throw InputError(std::vector<Diagnostic>{
      {Severity::error, {file, mark.line + 1, mark.column + 1, {}}, message, expected, {}}});
}

template <class T>
std::vector<T> list(const YAML::Node& root, const char* key, const std::string& file) {
  const YAML::Node node = root[key];
  if (!node || !node.IsSequence()) {
    fail(file, node ? node.Mark() : root.Mark(), fmt::format("no list '{}'", key),
         "an ASTRA-sim network: topology, npus_count, bandwidth, latency");
  }
  std::vector<T> out;
  for (const YAML::Node& item : node) {
    try {
      out.push_back(item.as<T>());
    } catch (const YAML::Exception&) {
      fail(file, item.Mark(), fmt::format("'{}' has an entry of another kind", key),
           "one value per dimension");
    }
  }
  return out;
}

std::vector<Tier> read(const std::string& text, const std::string& file) {
  YAML::Node root;
  try {
    root = YAML::Load(text);
  } catch (const YAML::ParserException& e) {
    fail(file, e.mark, "this is no YAML: " + e.msg, "an ASTRA-sim network");
  }
  if (!root.IsMap()) fail(file, root.Mark(), "this is no ASTRA-sim network", "keys and lists");
  const auto kinds = list<std::string>(root, "topology", file);
  const auto npus = list<int>(root, "npus_count", file);
  const auto bandwidth = list<double>(root, "bandwidth", file);
  const auto latency = list<double>(root, "latency", file);
  if (kinds.empty() || npus.size() != kinds.size() || bandwidth.size() != kinds.size() ||
      latency.size() != kinds.size()) {
    fail(file, root["topology"].Mark(), "the lists differ in length",
         "one value per dimension");
  }
  std::vector<Tier> out;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (npus[i] < 1) fail(file, root["npus_count"][i].Mark(), "no NPUs", "1 or more");
    if (!(bandwidth[i] > 0))
      fail(file, root["bandwidth"][i].Mark(), "no bandwidth", "GB/s above zero");
    if (!(latency[i] >= 0))
      fail(file, root["latency"][i].Mark(), "a negative latency", "ns, 0 or more");
    const bool known =
        kinds[i] == "Switch" || kinds[i] == "Ring" || kinds[i] == "FullyConnected";
    if (!known || (i == 0 && kinds[i] != "Switch")) {
      fail(file, root["topology"][i].Mark(), fmt::format("dimension {} is a '{}'", i, kinds[i]),
           i == 0 ? "Switch: a node's GPUs are joined by a switch"
                  : "Switch, Ring or FullyConnected");
    }
    out.push_back(
        {kinds[i], npus[i], BytesPerSecond{bandwidth[i] * 1e9}, Seconds{latency[i] * 1e-9}});
  }
  return out;
}

std::string nic(int npu, int per_node) {
  return fmt::format("node{}.nic{}", npu / per_node, npu % per_node);
}

// The cables of dimension d: `stride` NPUs lie between neighbours in it.
void join(const std::vector<Tier>& all, std::size_t d, int stride, int npus,
          std::vector<CableOptions>& out) {
  const Tier& dim = all[d];
  const int per_node = all[0].npus;
  const auto add = [&](const std::string& from, const std::string& to) {
    out.push_back(
        {fmt::format("{}-{}.dim{}", from, to, d), from, to, dim.bandwidth, dim.latency});
  };
  for (int npu = 0; npu < npus; ++npu) {
    const int at = npu / stride % dim.npus;
    const int first = npu - at * stride;
    if (dim.kind == "Switch") {
      add(nic(npu, per_node), fmt::format("dim{}.switch{}", d, first));
    } else if (dim.kind == "FullyConnected") {
      for (int k = at + 1; k < dim.npus; ++k) {
        add(nic(npu, per_node), nic(first + k * stride, per_node));
      }
    } else if (dim.npus > 1 && (at + 1 < dim.npus || dim.npus > 2)) {
      add(nic(npu, per_node), nic(first + (at + 1) % dim.npus * stride, per_node));
    }
  }
}

}  // namespace

ClusterOptions import_astra(ClusterOptions options, const std::string& text,
                            const std::string& file) {
  const std::vector<Tier> dims = read(text, file);
  NodeSpec& node = options.node;
  node.gpus = dims[0].npus;
  node.nvlink_bandwidth = dims[0].bandwidth;
  node.nvlink_latency = 2.0 * dims[0].latency;
  node.nics = dims.size() > 1 ? node.gpus : 0;
  int npus = node.gpus;
  for (std::size_t d = 1; d < dims.size(); ++d) npus *= dims[d].npus;
  options.nodes = npus / node.gpus;
  options.groups.clear();
  options.links.clear();
  node.nic_bandwidth = BytesPerSecond{0};
  int stride = node.gpus;
  for (std::size_t d = 1; d < dims.size(); ++d) {
    node.nic_bandwidth += dims[d].bandwidth;
    join(dims, d, stride, npus, options.links);
    stride *= dims[d].npus;
  }
  options.fabric = dims.size() > 1 ? "explicit" : "single_node";
  options.file.clear();
  return options;
}

}  // namespace moesim
