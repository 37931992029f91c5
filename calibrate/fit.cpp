#include "calibrate/fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "calibrate/fit_attention.hpp"
#include "calibrate/fit_experts.hpp"
#include "calibrate/fit_gemm.hpp"
#include "calibrate/fit_memory.hpp"
#include "sim/base/errors.hpp"

namespace moesim {

namespace {

// A kernel whose every time is above this was launched from the host, not from a graph.
constexpr double kLaunchBound = 60e-6;

struct Rows {
  std::vector<ExpertRow> experts;
  std::vector<GemmRow> gemms;
  std::vector<AttentionRow> attention;
  std::vector<MemoryRow> memory;
};

template <class Row>
void append(std::vector<Row>& to, std::vector<Row> from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()),
            std::make_move_iterator(from.end()));
}

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
    if (table.has("moe_dtype")) {
      append(rows.experts, read_expert_rows(table, options.gpu));
    } else if (table.has("gemm_dtype")) {
      append(rows.gemms, read_gemm_rows(table, options.gpu));
    } else if (is_memory_table(table)) {
      append(rows.memory, read_memory_rows(table, options.gpu));
    } else if (is_attention_table(table)) {
      append(rows.attention, read_attention_rows(table, options.gpu));
    } else {
      throw InputError({{Severity::error,
                         {table.file(), 0, 0, ""},
                         "this is no table of kernel times that fit knows",
                         "columns moe_dtype, gemm_dtype, mla_dtype, bmm_dtype, num_heads or op",
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
                              rows.memory.size());
  return rows;
}

// The engine whose rows to use: the wanted one, or the first other in a fixed order.
template <class Row>
std::string engine_for(const std::vector<Row>& rows, const std::string& wanted) {
  std::set<std::string> have;
  for (const Row& row : rows) have.insert(row.key.engine);
  if (have.empty() || have.contains(wanted)) return wanted;
  for (const char* other : {"sglang", "trtllm", "vllm"}) {
    if (have.contains(other)) return other;
  }
  return *have.begin();
}

template <class Row>
std::vector<Row> rows_of(const std::vector<Row>& rows, const std::string& engine) {
  std::vector<Row> out;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(out),
               [&](const Row& row) { return row.key.engine == engine; });
  return out;
}

template <class Row>
std::vector<Row> choose_engine(const std::vector<Row>& rows, const std::string& what,
                               Profile& profile) {
  const std::string engine = engine_for(rows, profile.engine);
  auto chosen = rows_of(rows, engine);
  if (chosen.empty()) {
    profile.notes.push_back(fmt::format("no table of {}: priced by the datasheet", what));
  } else if (engine != profile.engine) {
    profile.notes.push_back(fmt::format("{} borrowed from {}", what, engine));
  }
  return chosen;
}

void fit_attention(const std::vector<AttentionRow>& rows, const Device& device,
                   Profile& profile) {
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
      const auto least = std::min_element(
          own.begin(), own.end(), [](auto& a, auto& b) { return a.seconds < b.seconds; });
      if (least->seconds < kLaunchBound) {
        append(usable, std::move(own));
      } else {
        profile.notes.push_back(
            fmt::format("{} of {} left out: never below {:.0f} us, so its launches were timed",
                        what, name, least->seconds * 1e6));
      }
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

// Host time per step that kernels do not hide, with graphs and overlapped scheduling: assumed,
// of the order that the engines' own traces show; measured serving points refine it.
HostOverhead assumed_host(const std::string& engine) {
  if (engine == "vllm") return {Seconds{1.2e-3}, Seconds{4e-6}, Provenance::assumed, 0.5};
  return {Seconds{0.8e-3}, Seconds{3e-6}, Provenance::assumed, 0.5};
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
  profile.host = assumed_host(options.engine);
  const Rows rows = read_all(tables, {profile.gpu, options.engine, options.provenance}, fit);
  if (fit.used == 0) {
    throw InputError(fmt::format("the tables hold no usable row for {}", profile.gpu),
                     "rows whose 'system' is this GPU", "");
  }
  profile.experts =
      fit_expert_sections(choose_engine(rows.experts, "expert kernels", profile), *device);
  profile.gemms = fit_gemm_sections(choose_engine(rows.gemms, "dense GEMMs", profile), *device);
  fit_attention(rows.attention, *device, profile);
  fit_memory(rows.memory, *device, profile);
  if (!fit.rejected.empty()) {
    profile.notes.push_back(fmt::format("{} of {} rows rejected: above the hardware's peaks",
                                        fit.rejected.size(),
                                        fit.used + static_cast<int>(fit.rejected.size())));
  }
  return fit;
}

}  // namespace moesim
