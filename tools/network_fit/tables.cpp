#include "tools/network_fit/tables.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "sim/base/errors.hpp"
#include "sim/base/gzip.hpp"

namespace moesim::network_fit {
namespace {

using namespace literals;

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else if (c != '\r') {
      cells.back() += c;
    }
  }
  return cells;
}

double number(const Row& row, const std::string& column) {
  const auto found = row.find(column);
  if (found == row.end() || found->second.empty()) return 0;
  return std::strtod(found->second.c_str(), nullptr);
}

struct Hardware {
  BytesPerSecond nvlink;
  int gpus_per_node;
};

// Per GPU and direction, as the datasheets have it.
Hardware hardware(const std::string& system) {
  if (system.starts_with("gb")) return {900_GBps, 72};
  if (system.starts_with("b")) return {900_GBps, 8};
  if (system.starts_with("h800")) return {200_GBps, 8};
  if (system.starts_with("h")) return {450_GBps, 8};
  if (system == "mi355x") return {538_GBps, 8};
  if (system == "mi300x") return {448_GBps, 8};
  return {300_GBps, 8};
}

constexpr BytesPerSecond kNic{50e9};  // 400 Gbps per GPU in every multi-node table

// log of the chance that none of k distinct experts of `all` falls on a given `part`.
double chance_of_none(double all, double part, int k) {
  double p = 1;
  for (int i = 0; i < k; ++i) p *= std::max(0.0, all - part - i) / (all - i);
  return p;
}

enum class Way { per_expert, per_domain };

struct Shape {
  std::string system;
  int ranks;
  double tokens;
  double hidden;
  int top_k;
  double experts;
  bool fp8;
  int most_nodes = 0;  // group-limited routing; 0: no limit
};

// A uniform router on a grid of nodes.
Sample shaped(const Shape& s, Way way) {
  const Hardware hw = hardware(s.system);
  const int lanes = std::min(s.ranks, hw.gpus_per_node);
  const int nodes = s.ranks / lanes;
  Sample out;
  out.ranks = s.ranks;
  out.domains = nodes;
  out.experts_per_rank = s.experts / s.ranks;
  out.row = Bytes{s.fp8 ? s.hidden * (1 + 4.0 / 128) : 2 * s.hidden};
  out.latency = nodes > 1 ? 4.5_us : 1_us;
  const Bytes each = out.row * s.tokens;
  if (way == Way::per_expert) {
    const double per_rank = static_cast<double>(s.top_k) / s.ranks;
    out.local = each * per_rank * (lanes - 1) / hw.nvlink;
    out.network = each * per_rank * (s.ranks - lanes) / kNic;
    return out;
  }
  const int reached = s.most_nodes > 0 ? std::min(nodes, s.most_nodes) : nodes;
  const double allowed = static_cast<double>(reached) / nodes;
  const double pool = s.experts * allowed;
  const double reach_rank = allowed * (1 - chance_of_none(pool, s.experts / s.ranks, s.top_k));
  const double reach_node = allowed * (1 - chance_of_none(pool, s.experts / nodes, s.top_k));
  out.local = each * reach_rank * (s.ranks - nodes) / hw.nvlink;
  out.network = each * reach_node * (nodes - 1) / kNic;
  return out;
}

class Samples {
 public:
  void add(Sample sample, const std::string& name, const std::string& op, double us,
           bool held_out) {
    if (!(us > 0)) return;
    sample.name = name;
    sample.op = op;
    sample.measured = Seconds{us * 1e-6};
    sample.held_out = held_out;
    list.push_back(std::move(sample));
  }
  std::vector<Sample> list;
};

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

std::vector<Row> read_csv(const std::string& path) {
  std::stringstream stream(read_text(path));
  std::vector<std::string> header;
  std::vector<Row> rows;
  for (std::string line; std::getline(stream, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> cells = cells_of(line);
    if (header.empty()) {
      header = cells;
      continue;
    }
    Row row;
    for (std::size_t i = 0; i < header.size(); ++i) {
      row[header[i]] = i < cells.size() ? cells[i] : "";
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

namespace {

// Low latency between nodes, as its authors have it (128 tokens, hidden 7168, top-8 of 256).
// Inside one node an H800's NVLink is of no shipped fit, and before 2025-06 it was not used.
void deepep_readme(const std::string& folder, Samples& out) {
  for (const Row& row : read_csv(folder + "/deepep_readme.csv")) {
    const int ranks = static_cast<int>(number(row, "ep"));
    if (row.at("mode") != "low_latency" || row.at("commit") != "HEAD" || ranks <= 8) continue;
    const bool dispatch = row.at("op") == "dispatch";
    const Shape shape{"h800_sxm", ranks, number(row, "tokens"), 7168, 8, 256, dispatch, 0};
    out.add(shaped(shape, Way::per_expert), "deepep_low_latency/h100_sxm", row.at("op"),
            number(row, "latency_us"), true);
  }
}

// The combine of the published union, measured by others on an NVL72: bfloat16 whatever the
// experts' dtype. Dispatch has 4-bit rows there. Milliseconds.
void trtllm_alltoall(const std::string& folder, Samples& out) {
  for (const Row& row : read_csv(folder + "/trtllm_alltoall_gb200.csv.gz")) {
    const std::string op = row.at("op_name");
    if (row.at("kernel_source") != "NVLinkOneSided" || op != "alltoall_combine") continue;
    const Shape shape{"gb200",
                      static_cast<int>(number(row, "moe_ep_size")),
                      number(row, "num_tokens"),
                      number(row, "hidden_size"),
                      static_cast<int>(number(row, "topk")),
                      number(row, "num_experts"),
                      false,
                      0};
    out.add(shaped(shape, Way::per_domain),
            "published_TRT_LLM_NVLinkOneSided_LL_HT_GB200_NVL72_NVLi/gb200", "combine",
            1e3 * number(row, "latency"), true);
  }
}

// UCCL-EP on the same EFA cards as in the published union, by another laboratory: 4,096 tokens,
// hidden 7168, top-8 of 256.
void aws_b200(const std::string& folder, Samples& out) {
  for (const Row& row : read_csv(folder + "/aws_b200_dispatch_combine_native.csv")) {
    if (row.at("backend") != "UCCL-EP" || row.at("workload") != "prefill 4096") continue;
    const Shape shape{"b200_sxm",
                      static_cast<int>(number(row, "ep_ranks")),
                      4096,
                      7168,
                      8,
                      256,
                      row.at("dtype") == "fp8",
                      4};
    out.add(shaped(shape, Way::per_domain), "published_UCCL_EP_HT_On_p6_b200_On_p/b200_sxm",
            row.at("op"), number(row, "latency_us"), true);
  }
}

}  // namespace

std::vector<Sample> read_unfitted(const std::string& folder) {
  Samples out;
  deepep_readme(folder, out);
  trtllm_alltoall(folder, out);
  aws_b200(folder, out);
  return std::move(out.list);
}

std::vector<Sample> read_samples(const std::string& folder) {
  Samples out;
  deepep_low_latency(folder, out);
  deepep_normal(folder, out);
  hybrid_ep(folder, out);
  published(folder, out);
  return std::move(out.list);
}

}  // namespace moesim::network_fit
