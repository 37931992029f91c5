// SimAI's topology text (its README, "Topo"):
//
//   nodes gpus_per_server nvswitches switches links gpu_type
//   ids of the nvswitches, then of the switches
//   src dst bandwidth latency error_rate     one line per link, such as 0 8 2880Gbps 0.000025ms
//   0
//
// GPUs are 0 .. GPUs-1. A GPU's links to an NVSwitch become its NVLink, those to any other
// switch the cables of its NIC.
#include <fmt/format.h>

#include <map>
#include <set>
#include <sstream>

#include "sim/base/diagnostics.hpp"
#include "sim/base/units_text.hpp"
#include "topology/import.hpp"

namespace moesim {
namespace {

struct SimaiLink {
  int from = 0, to = 0;
  BytesPerSecond bandwidth{0};
  Seconds latency{0};
};

class Simai {
 public:
  Simai(const std::string& text, std::string file) : in_(text), file_(std::move(file)) {}

  ClusterOptions read(ClusterOptions options) {
    read_head();
    read_ids();
    for (int i = 0; i < links_; ++i) add(read_link());
    return finish(std::move(options));
  }

 private:
  [[noreturn]] void fail(const std::string& message, const std::string& expected) const {
    throw InputError(std::vector<Diagnostic>{
        {Severity::error, {file_, line_, 0, text_}, message, expected, {}}});
  }

  std::istringstream next(const std::string& expected) {
    while (std::getline(in_, text_)) {
      ++line_;
      if (text_.find_first_not_of(" \t\r") != std::string::npos)
        return std::istringstream(text_);
    }
    text_.clear();
    fail("the file ends too soon", expected);
  }

  void read_head() {
    const char* expected =
        "nodes gpus_per_server nvswitches switches links gpu_type, such as 17 8 1 8 16 H100";
    std::istringstream line = next(expected);
    std::string gpu;
    if (!(line >> nodes_ >> per_server_ >> nvswitches_ >> switches_ >> links_ >> gpu)) {
      fail("this is no SimAI topology", expected);
    }
    gpus_ = nodes_ - nvswitches_ - switches_;
    if (per_server_ < 1 || gpus_ < 1 || gpus_ % per_server_ != 0) {
      fail(fmt::format("{} nodes less {} switches are {} GPUs, {} per server", nodes_,
                       nvswitches_ + switches_, gpus_, per_server_),
           "whole servers of GPUs");
    }
  }

  void read_ids() {
    for (int left = nvswitches_ + switches_; left > 0;) {
      std::istringstream line = next("the ids of all switches");
      for (int id = 0; left > 0 && line >> id; --left) {
        if (id < gpus_ || id >= nodes_) {
          fail(fmt::format("{} is no switch", id),
               fmt::format("ids {} to {}", gpus_, nodes_ - 1));
        }
        if (left > switches_) nvswitch_.insert(id);
      }
      if (!line.eof() && line.fail()) fail("not a number", "the ids of all switches");
    }
  }

  SimaiLink read_link() {
    const char* expected = "src dst bandwidth latency error_rate: 0 8 2880Gbps 0.000025ms 0";
    std::istringstream line = next(expected);
    SimaiLink link;
    std::string bandwidth, latency;
    if (!(line >> link.from >> link.to >> bandwidth >> latency)) fail("no link", expected);
    for (const int id : {link.from, link.to}) {
      if (id < 0 || id >= nodes_) {
        fail(fmt::format("{} is no node", id), fmt::format("0 to {}", nodes_ - 1));
      }
    }
    link.bandwidth = BytesPerSecond{quantity(bandwidth, {{"Gbps", 1.25e8}, {"Mbps", 1.25e5}})};
    link.latency =
        Seconds{quantity(latency, {{"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"s", 1}})};
    if (link.bandwidth.value <= 0) fail("the link has no bandwidth", expected);
    return link;
  }

  double quantity(const std::string& text,
                  const std::vector<std::pair<const char*, double>>& units) {
    std::size_t used = 0;
    double number = -1;
    try {
      number = std::stod(text, &used);
    } catch (const std::exception&) {
    }
    for (const auto& [unit, scale] : units) {
      if (number >= 0 && text.substr(used) == unit) return number * scale;
    }
    fail("'" + text + "' is no bandwidth or time", "such as 400Gbps and 0.0005ms");
  }

  void add(const SimaiLink& link) {
    int gpu = link.from, other = link.to;
    if (gpu >= gpus_) std::swap(gpu, other);
    if (other < gpus_) fail("a link from GPU to GPU", "links by way of a switch");
    const auto one_way = 2.0 * link.latency;  // GPU to switch to GPU
    if (gpu < gpus_ && nvswitch_.count(other) > 0) {
      nvlink_[gpu] += link.bandwidth;
      nvlink_latency_ = one_way;
      return;
    }
    const std::string from = gpu >= gpus_ ? switch_name(gpu) : nic_name(gpu);
    if (gpu < gpus_) nic_[gpu] += link.bandwidth;
    const std::string name = fmt::format("{}-{}", from, switch_name(other));
    const int again = ++cables_[name];
    out_.push_back({again > 1 ? fmt::format("{}.{}", name, again) : name, from,
                    switch_name(other), link.bandwidth, link.latency});
  }

  static std::string switch_name(int id) { return "switch" + std::to_string(id); }
  [[nodiscard]] std::string nic_name(int gpu) const {
    return fmt::format("node{}.nic{}", gpu / per_server_, gpu % per_server_);
  }

  // The same for every GPU, or a message: nodes of one group are alike.
  BytesPerSecond of_all(const std::map<int, BytesPerSecond>& each, const char* what) {
    if (each.empty()) return BytesPerSecond{0};
    for (int gpu = 0; gpu < gpus_; ++gpu) {
      const auto found = each.find(gpu);
      const BytesPerSecond has = found == each.end() ? BytesPerSecond{0} : found->second;
      if (has.value != each.begin()->second.value) {
        fail(fmt::format("GPU {} has another {} bandwidth than GPU {}", gpu, what,
                         each.begin()->first),
             "the same for all, or a cluster in cluster.group tables");
      }
    }
    return each.begin()->second;
  }

  ClusterOptions finish(ClusterOptions options) {
    NodeSpec& node = options.node;
    node.gpus = per_server_;
    node.nvlink_bandwidth = of_all(nvlink_, "NVLink");
    if (node.nvlink_bandwidth.value > 0) node.nvlink_latency = nvlink_latency_;
    node.nic_bandwidth = of_all(nic_, "NIC");
    node.nics = nic_.empty() ? 0 : per_server_;
    options.nodes = gpus_ / per_server_;
    options.groups.clear();
    options.links = std::move(out_);
    options.fabric = "explicit";
    options.file.clear();
    return options;
  }

  std::istringstream in_;
  std::string file_;
  std::string text_;
  int line_ = 0;
  int nodes_ = 0, per_server_ = 0, nvswitches_ = 0, switches_ = 0, links_ = 0, gpus_ = 0;
  std::set<int> nvswitch_;
  std::map<int, BytesPerSecond> nvlink_, nic_;  // by GPU
  std::map<std::string, int> cables_;
  Seconds nvlink_latency_{0};
  std::vector<CableOptions> out_;
};

}  // namespace

ClusterOptions import_simai(ClusterOptions options, const std::string& text,
                            const std::string& file) {
  return Simai(text, file).read(std::move(options));
}

}  // namespace moesim
