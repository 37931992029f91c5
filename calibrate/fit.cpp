#include "calibrate/fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "calibrate/engine_rows.hpp"
#include "calibrate/engines.hpp"
#include "calibrate/expert_kernels.hpp"
#include "calibrate/fit_attention.hpp"
#include "calibrate/fit_gemm.hpp"
#include "calibrate/fit_machine.hpp"
#include "calibrate/fit_memory.hpp"
#include "calibrate/tuned_blocks.hpp"
#include "sim/base/errors.hpp"

namespace moesim {

namespace {

// A kernel whose every time is above this was launched from the host, not from a graph.
constexpr double kLaunchBound = 60e-6;

// Of such a kernel's prefill, times this many floors long are the device's: launches run ahead.
constexpr double kDeviceBound = 4;

// What a row with more work takes at least, as a share of the time of one with less.
constexpr double kFaster = 0.9;

// An MLA prefill kernel that stays below this share of the peak on long prompts, by the flops
// of the expanded heads (192 + 128 wide), was run absorbed: (576 + 512) / 320 = 3.4 as many.
constexpr double kExpandedShare = 0.3;
constexpr double kLongPrompt = 4096;

struct Rows {
  std::vector<ExpertRow> experts;
  std::vector<TunedBlocks> tuned;
  std::vector<GemmRow> gemms;
  std::vector<AttentionRow> attention;
  std::vector<MemoryRow> memory;
  std::vector<ExchangeCurve> exchanges;
  std::vector<EnergyPoint> energy;
};

// Lanes with expert parallelism of these engines time the whole batch on one rank: too slow.
bool usable_lane(const ExpertRow& row) {
  const bool made_for_it = row.key.kernel.find("deepep") != std::string::npos;
  return row.parallel == 1 || row.key.engine == "trtllm" || made_for_it;
}

Rows read_all(const std::vector<std::filesystem::path>& paths, const FitOptions& options,
              Fit& fit) {
  const Device device = *find_device(options.gpu);
  Rows rows;
  std::set<std::string> sources;
  for (const auto& path : paths) {
    const Table table = Table::read(path);
    for (const std::string& notice : table.notices()) {
      if (notice.find("source") != std::string::npos) {
        sources.insert(path.filename().string() + ": " + notice.substr(2));
      }
    }
    if (is_tuned_blocks_table(table)) {
      append(rows.tuned, read_tuned_blocks(table, options.gpu));
    } else if (table.has("moe_dtype")) {
      append(rows.experts, read_expert_rows(table, options.gpu));
    } else if (table.has("gemm_dtype")) {
      append(rows.gemms, read_gemm_rows(table, options.gpu));
    } else if (is_memory_table(table)) {
      append(rows.memory, read_memory_rows(table, options.gpu));
    } else if (is_all_to_all_table(table)) {
      append(rows.exchanges, read_all_to_all(table, options.gpu));
    } else if (is_energy_table(table)) {
      append(rows.energy, read_energy(table, options.gpu));
    } else if (is_attention_table(table)) {
      append(rows.attention, read_attention_rows(table, options.gpu));
    } else {
      throw InputError({{Severity::error,
                         {table.file(), 0, 0, ""},
                         "this is no table of kernel times that fit knows",
                         "columns moe_dtype, gemm_dtype, mla_dtype, bmm_dtype, num_heads, op, "
                         "bytes_per_rank or joules",
                         "see calibrate/README.md for the layouts"}});
    }
  }
  fit.profile.sources.assign(sources.begin(), sources.end());
  std::erase_if(rows.experts, [&](const ExpertRow& row) {
    const bool drop = !usable_flag(row) || !usable_lane(row);
    fit.flagged += drop ? 1 : 0;
    return drop;
  });
  const auto check = [&](const auto& row) {
    const std::string reason = impossible(row, device);
    if (!reason.empty()) fit.rejected.push_back({row.place, reason});
    return !reason.empty();
  };
  std::erase_if(rows.experts, check);
  std::erase_if(rows.gemms, check);
  fit.used = static_cast<int>(rows.experts.size() + rows.gemms.size() + rows.attention.size() +
                              rows.memory.size() + rows.exchanges.size() + rows.energy.size());
  return rows;
}

// The largest share of the peak that an MLA prefill kernel reaches on long prompts, by the
// flops of the expanded heads; nothing without a long prompt.
std::optional<double> expanded_share(const std::vector<AttentionRow>& kernel,
                                     const Device& device) {
  std::optional<double> most;
  for (const AttentionRow& row : kernel) {
    if (row.tokens < kLongPrompt) continue;
    const RooflineWork work =
        attention_work(row.op, row.config, row.key.dtype, row.batch, row.tokens);
    const double share = work.flops / row.seconds / peak_flops(device, Dtype::bf16).value;
    most = std::max(most.value_or(0), share);
  }
  return most;
}

// Moves the rows of a kernel that times something else than its table says to the rejected
// ones. Engines run prompts through the expanded heads, whatever this table's bench did:
// SGLang's takes 62.8 ms for 16,384 tokens on H200 where its whole attention module takes 21.0.
bool reject_absorbed_prefill(const std::string& name, const std::vector<AttentionRow>& kernel,
                             const Device& device, Fit& fit) {
  if (kernel.front().op != AttentionOp::mla_prefill) return false;
  const auto share = expanded_share(kernel, device);
  if (!share || *share >= kExpandedShare) return false;
  for (const AttentionRow& row : kernel) {
    fit.rejected.push_back({row.place, "the absorbed kernel, not the one that runs prompts"});
  }
  fit.used -= static_cast<int>(kernel.size());
  fit.profile.notes.push_back(fmt::format(
      "mla_prefill of {} rejected: {:.0f} % of the peak at most by the flops of the "
      "expanded heads, so the absorbed kernel was timed, which no prompt runs by",
      name, 100 * *share));
  return true;
}

// Did the host hold up this row's launch? Then two rows with more work took clearly less.
bool held_up(const AttentionRow& row, const std::vector<AttentionRow>& kernel) {
  return std::count_if(kernel.begin(), kernel.end(), [&](const AttentionRow& larger) {
           return larger.config == row.config && larger.key == row.key &&
                  larger.batch >= row.batch && larger.tokens >= row.tokens &&
                  larger.seconds < kFaster * row.seconds;
         }) >= 2;
}

// What of a kernel's rows was bound by the device and not by launches from the host.
std::vector<AttentionRow> device_bound(const std::string& name,
                                       std::vector<AttentionRow> kernel, Profile& profile) {
  const auto least = std::min_element(kernel.begin(), kernel.end(), [](auto& a, auto& b) {
                       return a.seconds < b.seconds;
                     })->seconds;
  if (least < kLaunchBound) return kernel;
  const AttentionOp op = kernel.front().op;
  const std::string what = kAttentionOpNames[static_cast<std::size_t>(op)];
  if (op != AttentionOp::mla_prefill) {
    profile.notes.push_back(
        fmt::format("{} of {} left out: never below {:.0f} us, so its launches were timed",
                    what, name, least * 1e6));
    return {};
  }
  const std::vector<AttentionRow> all = kernel;
  std::erase_if(kernel, [&](const auto& row) { return row.seconds < kDeviceBound * least; });
  const std::size_t dropped =
      std::erase_if(kernel, [&](const auto& row) { return held_up(row, all); });
  profile.notes.push_back(fmt::format(
      "{} of {}: times below {:.0f} us left out, never below {:.0f} us, so there its "
      "launches were timed; {} more that took longer than larger ones",
      what, name, kDeviceBound * least * 1e6, least * 1e6, dropped));
  return kernel;
}

void fit_attention(const std::vector<AttentionRow>& rows, const Device& device, Fit& fit) {
  Profile& profile = fit.profile;
  for (const AttentionOp op :
       {AttentionOp::decode, AttentionOp::prefill, AttentionOp::mla_decode,
        AttentionOp::mla_prefill, AttentionOp::mla_bmm}) {
    const std::string what = kAttentionOpNames[static_cast<std::size_t>(op)];
    std::map<std::string, std::vector<AttentionRow>> kernels;
    for (const AttentionRow& row : rows) {
      if (row.op == op) kernels[row.key.engine + " " + row.key.kernel].push_back(row);
    }
    std::vector<AttentionRow> usable;
    for (auto& [name, own] : kernels) {
      if (reject_absorbed_prefill(name, own, device, fit)) continue;
      append(usable, device_bound(name, std::move(own), profile));
    }
    auto sections =
        fit_attention_sections(choose_engine(usable, what + " attention", profile), device);
    // The kernel that covers most first: it answers.
    std::stable_sort(sections.begin(), sections.end(), [](const auto& a, const auto& b) {
      return a.points_left_out.all.points > b.points_left_out.all.points;
    });
    append(profile.attention, std::move(sections));
  }
}

}  // namespace

Fit fit_profile(const std::vector<std::filesystem::path>& tables, const FitOptions& options) {
  const auto device = find_device(options.gpu);
  if (!device) {
    std::string known;
    for (const Device& d : devices())
      known += (known.empty() ? "" : ", ") + std::string(d.name);
    throw InputError(fmt::format("no datasheet is known for GPU '{}'", options.gpu),
                     "one of " + known);
  }
  Fit fit;
  Profile& profile = fit.profile;
  profile.gpu = device->name;
  profile.engine = options.engine;
  profile.provenance = options.provenance;
  profile.host = engine_host(options.engine);
  const Rows rows = read_all(tables, {profile.gpu, options.engine, options.provenance}, fit);
  if (fit.used == 0 && !rows.tuned.empty()) {
    throw InputError("a list of tuned blocks says for which experts, not how long they take",
                     "a table of expert times beside it",
                     "see calibrate/README.md for the layouts");
  }
  if (fit.used == 0) {
    throw InputError(fmt::format("the tables hold no usable row for {}", profile.gpu),
                     "rows whose 'system' is this GPU", "");
  }
  fit_expert_kernels(rows.experts, rows.tuned, *device, profile);
  profile.gemms = fit_gemm_sections(choose_engine(rows.gemms, "dense GEMMs", profile), *device);
  fit_attention(rows.attention, *device, fit);
  fit_memory(rows.memory, *device, profile);
  profile.exchanges = rows.exchanges;
  profile.energy = rows.energy;
  if (!fit.rejected.empty()) {
    profile.notes.push_back(
        fmt::format("{} of {} rows rejected: above the hardware's peaks, or of another kernel",
                    fit.rejected.size(), fit.used + static_cast<int>(fit.rejected.size())));
  }
  return fit;
}

}  // namespace moesim
