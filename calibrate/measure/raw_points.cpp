#include "calibrate/measure/raw_points.hpp"

#include <fmt/format.h>

#include <system_error>

#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"
#include "sim/base/units_text.hpp"

namespace moesim {
namespace {

constexpr std::string_view kConditionColumns =
    "purpose,samples,low,high,p99,converged,sm_mhz,memory_mhz,temperature_c,power_w,throttle,"
    "order";

std::string ms(double seconds) { return number_text(seconds * 1e3); }

// The published tables' names.
std::string_view dtype_name(Dtype dtype) {
  return dtype == Dtype::bf16 ? "bfloat16" : to_text(dtype);
}
std::string_view distribution_name(ExchangePattern pattern) {
  if (pattern == ExchangePattern::uniform) return "balanced";
  return pattern == ExchangePattern::zipf ? "zipf_1.0" : "one_hot";
}

// Clocks and temperature as they were after the point; throttle reasons of both ends.
std::string condition_cells(const Point& p) {
  const std::string head =
      fmt::format("{},{},{},{},{},{}", to_text(p.job.purpose), p.time.count, ms(p.time.low),
                  ms(p.time.high), ms(p.time.p99), p.converged ? 1 : 0);
  if (!p.before || !p.after) return fmt::format("{},,,,,,{}", head, p.order);
  return fmt::format("{},{},{},{},{},{:#x},{}", head, number_text(p.after->sm_mhz),
                     number_text(p.after->memory_mhz), number_text(p.after->temperature_c),
                     number_text(p.after->power_w),
                     p.before->throttle_reasons | p.after->throttle_reasons, p.order);
}

struct Writer {
  const DeviceFacts& facts;

  [[nodiscard]] std::string key(const Point& p) const {
    return fmt::format("{},moesim,{},{}", facts.system, facts.library, p.kernel);
  }
  [[nodiscard]] std::string gemm(const Point& p) const {
    const auto& op = p.job.op;
    return fmt::format("{},{},{},{},{},{}", key(p), dtype_name(op.dtype), op.m, op.n, op.k,
                       ms(p.time.median));
  }
  [[nodiscard]] std::string moe(const Point& p) const {
    const auto& op = p.job.op;
    return fmt::format("{},{},{},{},{},{},{},1,1,{},{},ok,{},{}", key(p), dtype_name(op.dtype),
                       op.tokens, op.hidden, op.intermediate, op.top_k, op.experts,
                       distribution_name(op.pattern), ms(p.time.median), active_experts(op),
                       most_loaded(op));
  }
  // The new token counts: a cache of kv tokens is isl 1 after step kv - 1.
  [[nodiscard]] std::string attention(const Point& p) const {
    const auto& op = p.job.op;
    return fmt::format("{},{},1,{},{},{},1,{},{},{},0,{}", key(p), op.batch, op.heads,
                       op.kv_heads, op.head_dim, dtype_name(op.dtype), dtype_name(op.dtype),
                       op.kv_tokens - 1, ms(p.time.median));
  }
  [[nodiscard]] std::string memory(const Point& p) const {
    const auto& op = p.job.op;
    return fmt::format("{},{},{},{},{},{},{},{},{}", key(p), to_text(op.kind),
                       dtype_name(op.dtype), number_text(bytes_of(op).value), op.tokens,
                       op.hidden, op.experts, op.top_k, ms(p.time.median));
  }
  [[nodiscard]] std::string all_to_all(const Point& p) const {
    const auto& op = p.job.op;
    return fmt::format("{},{},{},{},{}", key(p), op.ranks, to_text(op.pattern), op.bytes,
                       ms(p.time.median));
  }
  [[nodiscard]] std::string energy(const Point& p) const {
    const std::string head = fmt::format("{},{}", key(p), to_text(p.job.op));
    if (!p.energy || p.energy->runs <= 0)
      return fmt::format("{},{},,,,", head, ms(p.time.median));
    const auto& e = *p.energy;
    return fmt::format("{},{},{},{},{},{}", head, ms(p.time.median),
                       number_text(e.energy.value / e.runs),
                       number_text(e.energy.value / e.time.value), number_text(e.time.value),
                       number_text(e.runs));
  }
};

struct Family {
  std::string_view file;
  std::string_view columns;
  bool (*holds)(const Point&);
  std::string (Writer::*row)(const Point&) const;
};

bool is_energy(const Point& p) { return p.job.purpose == Purpose::energy; }
bool timed(const Point& p, OpKind kind) { return !is_energy(p) && p.job.op.kind == kind; }

const Family kFamilies[] = {
    {"gemm", "gemm_dtype,m,n,k,latency", [](const Point& p) { return timed(p, OpKind::gemm); },
     &Writer::gemm},
    {"moe",
     "moe_dtype,num_tokens,hidden_size,inter_size,topk,num_experts,moe_tp_size,moe_ep_size,"
     "distribution,latency,flag,active_experts,most_loaded",
     [](const Point& p) { return timed(p, OpKind::experts); }, &Writer::moe},
    {"generation_attention",
     "batch_size,isl,num_heads,num_key_value_heads,head_dim,beam_width,attn_dtype,"
     "kv_cache_dtype,step,window_size,latency",
     [](const Point& p) { return timed(p, OpKind::decode_attention); }, &Writer::attention},
    {"memory_kernels", "op,dtype,bytes,num_tokens,hidden_size,num_experts,topk,latency",
     [](const Point& p) {
       const OpKind kind = p.job.op.kind;
       return !is_energy(p) && kind != OpKind::gemm && kind != OpKind::experts &&
              kind != OpKind::decode_attention && kind != OpKind::all_to_all;
     },
     &Writer::memory},
    {"all_to_all", "ranks,pattern,bytes_per_rank,latency",
     [](const Point& p) { return timed(p, OpKind::all_to_all); }, &Writer::all_to_all},
    {"energy", "operation,latency,joules,watts,loop_s,runs", is_energy, &Writer::energy},
};

// One cell of a table that knows no quotes.
std::string cell(const std::string& text) {
  std::string out = text;
  for (char& c : out) {
    if (c == ',') c = ';';
    if (c == '\n' || c == '"') c = ' ';
  }
  return out;
}

std::string header(const Measurement& m, const DeviceFacts& facts, std::uint64_t seed) {
  std::string text = fmt::format(
      "# source: measured by moesim calibrate on {} ({}), seed {}, {} points in {:.0f} s{}\n",
      facts.name, facts.versions, seed, m.points.size(), m.spent.value,
      m.interrupted ? ", interrupted" : "");
  text += "# latency, low, high, p99: ms; median, its 95 % interval and 99th percentile\n";
  if (facts.demonstration) text += "# demonstration: a processor, not a GPU\n";
  return text;
}

}  // namespace

std::vector<RawTable> raw_tables(const Measurement& m, const DeviceFacts& facts,
                                 std::uint64_t seed) {
  const Writer writer{facts};
  std::vector<RawTable> tables;
  for (const auto& family : kFamilies) {
    std::string rows;
    for (const Point& p : m.points) {
      if (family.holds(p)) {
        rows += fmt::format("{},{}\n", (writer.*family.row)(p), condition_cells(p));
      }
    }
    if (rows.empty()) continue;
    tables.push_back(
        {fmt::format("{}_{}.csv", family.file, facts.system),
         fmt::format("{}system,framework,version,kernel_source,{},{}\n{}",
                     header(m, facts, seed), family.columns, kConditionColumns, rows)});
  }
  std::string missing;
  for (const auto& r : m.refusals) {
    missing += fmt::format("{},{}\n", to_text(r.op), cell(r.why));
  }
  if (facts.gpus == 1 && !facts.demonstration) {
    missing += "links between GPUs,one GPU: import nccl-tests output or use a datasheet\n";
  }
  if (!missing.empty()) {
    tables.push_back({fmt::format("not_measured_{}.csv", facts.system),
                      fmt::format("{}operation,why\n{}", header(m, facts, seed), missing)});
  }
  return tables;
}

std::vector<std::filesystem::path> write_raw_tables(const std::vector<RawTable>& tables,
                                                    const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw WorldError(fmt::format("cannot make {}: {}", folder.string(), error.message()));
  }
  std::vector<std::filesystem::path> paths;
  for (const auto& table : tables) {
    paths.push_back(folder / table.file);
    write_file(paths.back(), table.text);
  }
  return paths;
}

}  // namespace moesim
