#include "tools/network_fit/tables.hpp"

#include <algorithm>
#include <cmath>

#include "tools/network_fit/rows.hpp"
#include "tools/network_fit/shape.hpp"

namespace moesim::network_fit {
namespace {

// Every third size of a table is held out.
bool third(double tokens) {
  return static_cast<int>(std::lround(2 * std::log2(tokens))) % 3 == 1;
}

void deepep_low_latency(const std::string& folder, Samples& out) {
  for (const Row& row : read_csv(folder + "/deepep_low_latency.csv")) {
    const std::string system = row.at("system");
    const bool old = row.at("version") == "0.5.6.post2";
    const bool gb = system.starts_with("gb");
    const int nodes = static_cast<int>(number(row, "node_num"));
    Shape shape{system,
                nodes * (gb ? 4 : 8),
                number(row, "num_token"),
                number(row, "hidden_size"),
                static_cast<int>(number(row, "num_topk")),
                number(row, "num_experts"),
                true,
                0};
    // The old version is the only one on several nodes: 4 nodes and one shape are held out.
    const bool held =
        old ? nodes == 4 || third(shape.tokens) : shape.hidden == 6144 || third(shape.tokens);
    const std::string name =
        std::string(old ? "deepep_low_latency" : "deepep_low_latency_1node") + "/" + system;
    out.add(shaped(shape, Way::per_expert), name, "dispatch", number(row, "dispatch_avg_t_us"),
            held);
    shape.fp8 = false;
    out.add(shaped(shape, Way::per_expert), name, "combine", number(row, "combine_avg_t_us"),
            held);
  }
}

void deepep_normal(const std::string& folder, Samples& out) {
  for (const Row& row : read_csv(folder + "/deepep_normal.csv.gz")) {
    const std::string system = row.at("system");
    const bool old = row.at("version") == "0.5.6.post2";
    const bool gb = system.starts_with("gb");
    const int nodes = static_cast<int>(number(row, "node_num"));
    if (nodes == 8) continue;  // anomalous: three times what the library's authors publish
    Shape shape{system,
                nodes * (gb ? 4 : 8),
                number(row, "num_token"),
                number(row, "hidden_size"),
                static_cast<int>(number(row, "num_topk")),
                number(row, "num_experts"),
                true,
                4};
    const std::string name =
        std::string(old ? "deepep_normal" : "deepep_normal_1node") + "/" + system;
    const double sms = number(row, "dispatch_sms");
    const bool held =
        third(shape.tokens) || (old ? sms == 16 : shape.hidden == 6144 || sms == 16);
    Sample dispatch = shaped(shape, Way::per_domain);
    dispatch.sms = static_cast<int>(sms);
    out.add(dispatch, name, "dispatch",
            number(row, "dispatch_transmit_us") + number(row, "dispatch_notify_us"), held);
    shape.fp8 = false;
    Sample combine = shaped(shape, Way::per_domain);
    combine.sms = static_cast<int>(number(row, "combine_sms"));
    out.add(combine, name, "combine",
            number(row, "combine_transmit_us") + number(row, "combine_notify_us"), held);
  }
}

// Bandwidths count what the library sends, the own part included: pairs inside a domain,
// (token, node) across. Kernel times.
void hybrid_ep(const std::string& folder, Samples& out) {
  for (const Row& row : read_csv(folder + "/hybrid_ep_bandwidth.csv")) {
    const bool gb = row.at("gpu") == "GB200";
    const std::string system = gb ? "gb200" : "h100_sxm";
    const int ranks = static_cast<int>(number(row, "ranks"));
    const int lanes = gb ? ranks : 8;
    const double nodes = ranks / lanes;
    const bool hybrid = row.at("library") == "HybridEP";
    const std::string name =
        std::string(hybrid ? "hybrid_ep" : "hybrid_ep_table_deepep") + "/" + system;
    for (const char* column : {"dispatch_fp8", "dispatch_bf16", "combine"}) {
      const bool fp8 = std::string_view(column) == "dispatch_fp8";
      const Shape shape{system, ranks, 4096, 7168, 8, 8.0 * ranks, fp8, 0};
      Sample sample = shaped(shape, Way::per_domain);
      sample.sms = static_cast<int>(number(row, "sms"));
      const double parts = gb ? ranks : nodes;
      const double reach = 1 - chance_of_none(8.0 * ranks, 8.0 * ranks / parts, 8);
      const double bytes = 4096 * sample.row.value * parts * reach;
      const double rate = number(row, std::string(hybrid ? "kern_" : "api_") + column) * 1e9;
      if (rate <= 0) continue;
      out.add(sample, name, std::string_view(column) == "combine" ? "combine" : "dispatch",
              bytes / rate * 1e6, gb ? ranks == 16 || ranks == 32 : ranks == 32);
    }
  }
}

std::string system_of(const std::string& gpu) {
  for (const auto& [word, system] :
       std::vector<std::pair<const char*, const char*>>{{"GB200", "gb200"},
                                                        {"B200", "b200_sxm"},
                                                        {"b200", "b200_sxm"},
                                                        {"MI355X", "mi355x"},
                                                        {"MI300X", "mi300x"},
                                                        {"H100", "h100_sxm"},
                                                        {"H200", "h200_sxm"},
                                                        {"p5en", "h200_sxm"}}) {
    if (gpu.find(word) != std::string::npos) return system;
  }
  return "h100_sxm";
}

std::string word(std::string text) {
  for (char& c : text) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return text;
}

void published(const std::string& folder, Samples& out) {
  for (const Row& row : read_csv(folder + "/ep_alltoall_published.csv")) {
    const std::string system = system_of(row.at("gpu"));
    const std::string op = row.at("op");
    if (op != "dispatch" && op != "combine") continue;
    if (row.at("note").starts_with("SUSPECT")) continue;  // by the table's own remark
    const std::string mode = row.at("mode");
    const std::string dtype = row.at("dtype");
    const bool fp8 = dtype.starts_with("fp8") && op == "dispatch";
    const Shape shape{system,
                      static_cast<int>(number(row, "ep")),
                      number(row, "tokens_per_rank"),
                      number(row, "hidden"),
                      static_cast<int>(number(row, "topk")),
                      number(row, "experts"),
                      fp8,
                      mode == "HT" && !row.at("library").starts_with("NCCL-EP") ? 4 : 0};
    if (shape.ranks < 2 || shape.experts <= 0) continue;
    const Way way = mode == "LL" ? Way::per_expert : Way::per_domain;
    const bool many_sizes = row.at("library").starts_with("TRT-LLM NVLinkOneSided");
    const bool held = many_sizes ? third(shape.tokens) || shape.ranks == 16 : shape.ranks == 32;
    out.add(shaped(shape, way),
            "published_" +
                word(row.at("library") + " " + mode + " " + row.at("gpu").substr(0, 24) + " " +
                     row.at("nic").substr(0, 4)) +
                "/" + system,
            op, number(row, "latency_us"), held);
  }
}

}  // namespace

std::vector<Sample> read_samples(const std::string& folder) {
  Samples out;
  deepep_low_latency(folder, out);
  deepep_normal(folder, out);
  hybrid_ep(folder, out);
  published(folder, out);
  return std::move(out.list);
}

}  // namespace moesim::network_fit
