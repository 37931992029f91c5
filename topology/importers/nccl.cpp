// NCCL's topology XML (NCCL_TOPO_DUMP_FILE): the inside of one node. <gpu> elements with their
// <nvlink count>, <net speed> in Mbit/s, PCIe link_speed and link_width on the way to the GPU.
// Nodes, fabric and latencies stay those of the options: the dump knows nothing of them.
#include <fmt/format.h>

#include <algorithm>
#include <pugixml.hpp>

#include "sim/base/diagnostics.hpp"
#include "topology/import.hpp"

namespace moesim {
namespace {

[[noreturn]] void fail(const std::string& file, const std::string& text, std::ptrdiff_t offset,
                       const std::string& message, const std::string& expected) {
  const auto end = text.begin() + std::clamp<std::ptrdiff_t>(
                                      offset, 0, static_cast<std::ptrdiff_t>(text.size()));
  const int line = 1 + static_cast<int>(std::count(text.begin(), end, '\n'));
  throw InputError(
      std::vector<Diagnostic>{{Severity::error, {file, line, 0, {}}, message, expected, {}}});
}

// Bytes per second of one NVLink and direction by compute capability (datasheets: V100 and
// A100 25 GB/s, H100 25, B200 50; P100 20).
double nvlink_rate(int sm) { return sm >= 100 ? 50e9 : sm >= 70 ? 25e9 : 20e9; }

// "32.0 GT/s PCIe" x 16 lanes; 8b/10b and 128b/130b coding are the transport's matter.
double pcie_rate(const pugi::xml_node& pci) {
  return pci.attribute("link_speed").as_double() * 1e9 / 8 *
         pci.attribute("link_width").as_int();
}

}  // namespace

ClusterOptions import_nccl(ClusterOptions options, const std::string& text,
                           const std::string& file) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_string(text.c_str());
  if (!parsed) {
    fail(file, text, parsed.offset, fmt::format("damaged XML: {}", parsed.description()),
         "the file as NCCL_TOPO_DUMP_FILE wrote it");
  }
  const pugi::xml_node system = document.child("system");
  const auto gpus = document.select_nodes("//gpu");
  if (!system || gpus.empty()) {
    const pugi::xml_node root = document.document_element();
    fail(file, text, root.offset_debug(),
         fmt::format("<{}> {}", root.name(), system ? "has no <gpu>" : "is no NCCL topology"),
         "<system> with <cpu>, <pci> and <gpu>");
  }
  NodeSpec& node = options.node;
  node.gpus = static_cast<int>(gpus.size());
  double nvlink = -1;
  for (const pugi::xpath_node& found : gpus) {
    const pugi::xml_node gpu = found.node();
    double rate = 0;
    for (const pugi::xml_node link : gpu.children("nvlink")) {
      rate += link.attribute("count").as_int() * nvlink_rate(gpu.attribute("sm").as_int());
    }
    if (nvlink >= 0 && rate != nvlink) {
      fail(file, text, gpu.offset_debug(), "a GPU has other NVLinks than the first",
           "GPUs of one kind; write mixed nodes as cluster.group tables");
    }
    nvlink = rate;
    const double pcie = pcie_rate(gpu.parent());
    if (pcie > 0) node.pcie_bandwidth = BytesPerSecond{pcie};
  }
  node.nvlink_bandwidth = BytesPerSecond{nvlink};
  const auto nets = document.select_nodes("//net");
  double speed = 0;
  for (const pugi::xpath_node& net : nets) {
    const double mbits = net.node().attribute("speed").as_double();
    if (mbits <= 0) {
      fail(file, text, net.node().offset_debug(), "a <net> without a speed",
           "Mbit/s above zero");
    }
    speed += mbits * 1e6 / 8;
  }
  node.nics = static_cast<int>(nets.size());
  if (node.nics > 0) node.nic_bandwidth = BytesPerSecond{speed / node.nics};
  options.groups.clear();
  options.fabric = options.nodes == 1 ? "single_node" : "rail_optimized";
  options.file.clear();
  return options;
}

}  // namespace moesim
