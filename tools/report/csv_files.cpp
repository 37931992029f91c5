#include "tools/report/csv_files.hpp"

#include <fmt/format.h>

#include <iterator>
#include <system_error>

#include "sim/base/csv.hpp"
#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"
#include "tools/report/result_json.hpp"

namespace moesim {

namespace {

constexpr std::size_t kPiece = 1 << 20;

}  // namespace

std::string gpus_csv(const Result& result) {
  std::string text =
      "gpu,node,instance,utilization,attention_s,dense_s,expert_s,network_s,host_s,waiting_s,"
      "load,expert_tokens,memory_bytes\n";
  for (const GpuResult& g : result.gpus) {
    fmt::format_to(std::back_inserter(text), "{},{},{},{},{},{},{},{},{},{},{},{},{}\n",
                   csv_cell(g.name), g.node, g.instance, g.utilization, g.attention.value,
                   g.dense.value, g.expert.value, g.network.value, g.host.value,
                   g.waiting.value, g.load, g.expert_tokens, g.memory.value);
  }
  return text;
}

std::string links_csv(const Result& result) {
  std::string text = "link,kind,bandwidth_bytes_per_s,bytes,utilization,busbw_bytes_per_s\n";
  for (const LinkResult& l : result.links) {
    fmt::format_to(std::back_inserter(text), "{},{},{},{},{},{}\n", csv_cell(l.name),
                   csv_cell(l.kind), l.bandwidth.value, l.bytes.value, l.utilization,
                   l.busbw.value);
  }
  return text;
}

std::string experts_csv(const Result& result) {
  std::string text = "layer,expert,replicas,gpus,tokens,load,share,flops\n";
  for (const ExpertResult& e : result.experts) {
    fmt::format_to(std::back_inserter(text), "{},{},{},{},{},{},{},{}\n", e.layer, e.expert,
                   e.replicas, csv_cell(e.gpus), e.tokens, e.load, e.share, e.flops.value);
  }
  return text;
}

std::string layers_csv(const Result& result) {
  std::string text =
      "layer,balancedness,entropy,overflow_rate,dead_experts,hottest_load,dispatch_s,expert_s,"
      "combine_s,tokens,cv,gini,hot_experts,active_experts,balance_loss,router_mass_lost\n";
  for (const LayerResult& l : result.layers) {
    fmt::format_to(std::back_inserter(text),
                   "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", l.layer, l.balancedness,
                   l.entropy, l.overflow_rate, l.dead_experts, l.hottest_load, l.dispatch.value,
                   l.expert.value, l.combine.value, l.tokens, l.cv, l.gini, l.hot_experts,
                   l.active_experts, l.balance_loss, l.router_mass_lost);
  }
  return text;
}

std::string load_windows_csv(const Result& result) {
  std::string text =
      "begin_s,end_s,steps,layer,tokens,hottest_load,hottest_expert,cv,gini,entropy,"
      "active_experts,dead_experts,hot_experts\n";
  for (const LoadWindowResult& w : result.load_windows) {
    fmt::format_to(std::back_inserter(text), "{},{},{},{},{},{},{},{},{},{},{},{},{}\n",
                   w.begin.value, w.end.value, w.steps, w.layer, w.tokens, w.hottest_load,
                   w.hottest_expert, w.cv, w.gini, w.entropy, w.active_experts, w.dead_experts,
                   w.hot_experts);
  }
  return text;
}

std::string tenant_loads_csv(const Result& result) {
  std::string text =
      "tenant,domain,layer,tokens,hottest_load,hottest_expert,cv,entropy,apart\n";
  for (const TenantLoadResult& t : result.tenant_loads) {
    fmt::format_to(std::back_inserter(text), "{},{},{},{},{},{},{},{},{}\n", csv_cell(t.tenant),
                   csv_cell(t.domain), t.layer, t.tokens, t.hottest_load, t.hottest_expert,
                   t.cv, t.entropy, t.apart);
  }
  return text;
}

std::string timeline_csv(const Timeline& timeline) {
  std::string text = "time_s";
  for (const Series& s : timeline.series()) text += "," + csv_cell(s.name);
  text += '\n';
  for (std::size_t bin = 0; bin < timeline.bins(); ++bin) {
    text += fmt::format("{}", timeline.bin_begin(bin).value);
    for (int s = 0; s < std::ssize(timeline.series()); ++s) {
      text += ',';
      if (timeline.has(s, bin)) text += fmt::format("{}", timeline.value(s, bin));
    }
    text += '\n';
  }
  return text;
}

void write_requests_csv(const std::filesystem::path& path, const Recorder& recorder,
                        const Blame* blame) {
  std::string text =
      "request,tenant,state,counted,arrival_s,queue_time_s,ttft_s,tpot_s,e2el_s,input_tokens,"
      "output_tokens,instance,preemptions";
  for (std::size_t c = 0; blame != nullptr && c < kCauses; ++c) {
    fmt::format_to(std::back_inserter(text), ",{}_s", to_text(static_cast<Cause>(c)));
  }
  text += '\n';
  FileWriter file(path);
  std::vector<std::string> tenants;
  for (const std::string& name : recorder.tenants()) tenants.push_back(csv_cell(name));
  const auto& records = recorder.records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const RequestRecord& r = records[i];
    const auto out = std::back_inserter(text);
    const bool finished = r.state == RequestState::finished;
    fmt::format_to(out, "{},{},{},{},{}", i, tenants.at(static_cast<std::size_t>(r.tenant)),
                   to_text(r.state), recorder.counts(RequestId(i)) ? 1 : 0, r.arrival.value);
    const auto cell = [&](bool there, Seconds value) {
      text += ',';
      if (there) fmt::format_to(out, "{}", value.value);
    };
    cell(r.scheduled(), r.queue_time());
    cell(r.has_first_token(), r.ttft());
    cell(finished && r.output_tokens > 1, r.tpot());
    cell(finished, r.e2el());
    fmt::format_to(out, ",{},{},{},{}", r.input_tokens, r.output_tokens, r.instance,
                   r.preemptions);
    if (blame != nullptr) {
      const CauseSeconds seconds =
          finished ? blame->until_end(RequestId(i), r.e2el()) : CauseSeconds{};
      for (const double s : seconds.of) cell(finished, Seconds{s});
    }
    text += '\n';
    if (text.size() < kPiece) continue;
    file.append(text);
    text.clear();
  }
  file.append(text);
  file.commit();
}

void write_results(const std::filesystem::path& folder, const Result& result,
                   const Recorder& recorder, const Blame* blame, const Timeline* timeline) {
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  if (problem) {
    throw WorldError(
        fmt::format("cannot make the folder {}: {}", folder.string(), problem.message()));
  }
  write_requests_csv(folder / "requests.csv", recorder, blame);
  write_file(folder / "gpus.csv", gpus_csv(result));
  write_file(folder / "links.csv", links_csv(result));
  write_file(folder / "experts.csv", experts_csv(result));
  write_file(folder / "layers.csv", layers_csv(result));
  write_file(folder / "load_windows.csv", load_windows_csv(result));
  write_file(folder / "tenant_loads.csv", tenant_loads_csv(result));
  if (timeline != nullptr) write_file(folder / "timeline.csv", timeline_csv(*timeline));
  // Last, so that a folder with a result.json has everything.
  write_file(folder / "result.json", to_json(result));
}

}  // namespace moesim
