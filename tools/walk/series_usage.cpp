#include <algorithm>
#include <cmath>
#include <numeric>

#include "tools/walk/series_parts.hpp"

namespace moesim {

namespace {

// Bins of the widest of the histories; the others' fit into them.
GridAxis time_axis(const Simulation& simulation, Seconds width, Seconds end) {
  for (int i = 0; i < simulation.instances(); ++i) {
    width = std::max(width, simulation.usage().gpus(i).bin_width());
  }
  const auto bins = static_cast<std::size_t>(std::ceil(end / width - 1e-9));
  return {"time", "s", std::max<std::size_t>(1, bins), 0, width.value, {}};
}

// What a counter grew by per second in every bin up to `end`; nothing is known after it.
void add_rates(const CounterHistory& history, std::size_t counter, const GridAxis& time,
               Seconds end, double scale, std::vector<double>& out) {
  for (std::size_t b = 0; b < time.size; ++b) {
    const Seconds from{time.step * static_cast<double>(b)};
    const Seconds to = std::min(end, Seconds{time.step * static_cast<double>(b + 1)});
    const double grown = history.at(counter, to) - history.at(counter, from);
    out.push_back(to > from ? scale * grown / (to - from).value : 0.0);
  }
}

void collect_gpu_time(const Cluster& cluster, const Simulation& simulation,
                      ReportSeries& series) {
  int instance = 0;
  Grid& grid = series.gpu_time;
  grid.rows = {"GPU", "", static_cast<std::size_t>(cluster.gpus()), 0, 1, {}};
  grid.columns = time_axis(simulation, Seconds{0}, simulation.duration());
  grid.value = "utilization";
  grid.unit = "ratio";
  for (int g = 0; g < cluster.gpus(); ++g) {
    while (instance < simulation.instances() &&
           g >=
               simulation.first_gpu(instance).value + simulation.pool(instance).parallel.gpus) {
      ++instance;
    }
    if (instance >= simulation.instances()) {  // a spare
      grid.values.resize(grid.values.size() + grid.columns.size, 0.0);
      continue;
    }
    add_rates(simulation.usage().gpus(instance),
              static_cast<std::size_t>(g - simulation.first_gpu(instance).value), grid.columns,
              simulation.duration(), 1, grid.values);
  }
}

// The mean over the GPUs of the heat map above it.
void collect_gpu_track(ReportSeries& series) {
  const Grid& grid = series.gpu_time;
  Track track{"gpu_utilization", "GPU utilization",          "ratio",
              Seconds{0},        Seconds{grid.columns.step}, {}};
  for (std::size_t b = 0; b < grid.columns.size; ++b) {
    double sum = 0;
    for (std::size_t g = 0; g < grid.rows.size; ++g) sum += grid.at(g, b);
    track.values.push_back(sum / static_cast<double>(grid.rows.size));
  }
  series.tracks.push_back(std::move(track));
}

std::vector<int> busiest_links(const Cluster& cluster, const Simulation& simulation) {
  const auto use = [&](int l) {
    return (simulation.ledger().bytes(LinkId{l}) / cluster.link(LinkId{l}).bandwidth).value;
  };
  std::vector<int> links(static_cast<std::size_t>(cluster.links()));
  std::iota(links.begin(), links.end(), 0);
  std::erase_if(links, [&](int l) { return use(l) <= 0; });
  std::ranges::stable_sort(links, [&](int a, int b) { return use(a) > use(b); });
  if (links.size() > kLinksShown) links.resize(kLinksShown);
  return links;
}

void collect_link_time(const Cluster& cluster, const Simulation& simulation,
                       ReportSeries& series) {
  const std::vector<int> links = busiest_links(cluster, simulation);
  if (links.empty()) return;
  const CounterHistory& history = simulation.usage().links();
  Grid& grid = series.link_time;
  grid.rows = {"link", "", links.size(), 0, 1, {}};
  grid.columns = time_axis(simulation, history.bin_width(), simulation.duration());
  grid.value = "utilization";
  grid.unit = "ratio";
  for (const int l : links) {
    const Link& link = cluster.link(LinkId{l});
    grid.rows.labels.push_back(link.name);
    add_rates(history, static_cast<std::size_t>(l), grid.columns, simulation.duration(),
              1 / link.bandwidth.value, grid.values);
  }
}

}  // namespace

void collect_node_traffic(const Cluster& cluster,
                          const std::vector<const MoeNetwork*>& networks,
                          ReportSeries& series) {
  const auto nodes = static_cast<std::size_t>(cluster.nodes());
  std::vector<double> bytes(nodes * nodes, 0.0);
  double sum = 0;
  for (const MoeNetwork* network : networks) {
    const std::vector<double>& some = network->node_traffic().bytes();
    for (std::size_t k = 0; k < bytes.size(); ++k) {
      bytes[k] += some[k];
      sum += some[k];
    }
  }
  if (sum <= 0) return;
  series.node_traffic = {{"source node", "", nodes, 0, 1, {}},
                         {"destination node", "", nodes, 0, 1, {}},
                         "bytes",
                         "bytes",
                         std::move(bytes)};
}

void collect_usage(const Cluster& cluster, const Simulation& simulation, ReportSeries& series) {
  if (simulation.duration().value <= 0) return;
  collect_gpu_time(cluster, simulation, series);
  collect_gpu_track(series);
  collect_link_time(cluster, simulation, series);
  std::vector<const MoeNetwork*> networks;
  for (int i = 0; i < simulation.instances(); ++i) {
    for (const auto& network : simulation.networks(i)) networks.push_back(network.get());
  }
  collect_node_traffic(cluster, networks, series);
}

}  // namespace moesim
