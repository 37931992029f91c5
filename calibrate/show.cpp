#include "calibrate/show.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "calibrate/devices.hpp"
#include "calibrate/noise_floor.hpp"
#include "sim/base/units_text.hpp"

namespace moesim {

namespace {

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

// `floor`: median and p90 that the measurements' own scatter leaves; "" where not known.
std::string line(const std::string& name, std::string_view op, const KernelKey& key,
                 const HeldOut& held, const std::string& floor = "") {
  const std::string start = fmt::format("{:<17} {:<13} {:<9} ", name, op, to_text(key.dtype));
  const std::string kernel = fmt::format("{} {} {}", key.engine, key.version, key.kernel);
  if (held.all.points == 0) return start + fmt::format("{:>65}  {}\n", "not held out", kernel);
  return start + fmt::format("{:>6} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>11}  {}\n",
                             held.all.points, percent(held.all.median), percent(held.all.p90),
                             percent(held.all.bias), percent(held.small.median),
                             percent(held.middle.median), percent(held.large.median), floor,
                             kernel);
}

std::string floor_of(const ExpertSection& section, const std::string& gpu) {
  const auto device = find_device(gpu);
  if (!device) return "";
  const ErrorSummary floor = noise_floor(section, *device);
  if (floor.points == 0) return "";
  return fmt::format("{:.1f}, {:.1f} %", 100 * floor.median, 100 * floor.p90);
}

// What only a measurement has.
std::string machine_lines(const Profile& p) {
  std::string out;
  if (p.memory.graph_node.value > 0 || p.memory.stream_launch.value > 0) {
    out += fmt::format("empty kernels     {} in a graph, {} on a stream (shown only)\n",
                       to_display(p.memory.graph_node), to_display(p.memory.stream_launch));
  }
  for (const ExchangeCurve& c : p.exchanges) {
    double best = 0;
    for (std::size_t i = 0; i < c.bytes.size(); ++i) {
      best = std::max(best, c.bytes[i] / c.seconds[i]);
    }
    out += fmt::format(
        "all-to-all        {} {} {}, {} ranks: {} points, {} at least, {} at best "
        "({})\n",
        c.kernel, c.version, c.pattern, c.ranks, c.bytes.size(),
        to_display(Seconds{*std::min_element(c.seconds.begin(), c.seconds.end())}),
        to_display(BytesPerSecond{best}),
        c.ranks > 1 && c.kernel == "nccl" && c.pattern == "uniform" ? "for transport nccl"
                                                                    : "shown only");
  }
  for (const EnergyPoint& e : p.energy) {
    out += fmt::format("energy            {} {}: {:.3g} J in {}, {:.0f} W\n", e.kernel,
                       e.operation, e.joules, to_display(Seconds{e.seconds}), e.watts);
  }
  return out;
}

}  // namespace

std::string errors_heading() {
  return fmt::format(
      "{:<17} {:<13} {:<9} {:>6} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>11}  {}\n", "profile",
      "operator", "format", "points", "median", "p90", "bias", "small", "middle", "large",
      "noise", "kernel");
}

std::string show_errors(const std::string& name, const Profile& p) {
  std::string out;
  for (const ExpertSection& s : p.experts) {
    const std::string op = s.gated ? "experts" : "experts 2mat";
    const std::string floor = floor_of(s, p.gpu);
    if (s.shapes_left_out.all.points > 0)
      out += line(name, op, s.key, s.shapes_left_out, floor);
    if (s.all_left_out.all.points > s.shapes_left_out.all.points)
      out += line(name, op + "+", s.key, s.all_left_out, floor);
    out += line(name, op + "*", s.key, s.points_left_out, floor);
  }
  for (const GemmSection& s : p.gemms) out += line(name, "gemm", s.key, s.points_left_out);
  for (const AttentionSection& s : p.attention) {
    out +=
        line(name, kAttentionOpNames[static_cast<std::size_t>(s.op)], s.key, s.points_left_out);
  }
  return out;
}

std::string show_profile(const Profile& p) {
  std::array<int, std::size(kStandingNames)> curves{};
  for (const ExpertSection& s : p.experts) {
    for (const ExpertShapeCurve& c : s.curves) ++curves[static_cast<std::size_t>(c.standing)];
  }
  std::string out =
      fmt::format("{}/{}   schema {}, {}\n", p.gpu, p.engine, p.schema, to_text(p.provenance));
  out += fmt::format("host per step     {} + {} per sequence + {} per layer ({}, +-{})\n",
                     to_display(p.host.per_step), to_display(p.host.per_sequence),
                     to_display(p.host.per_layer), to_text(p.host.provenance),
                     percent(p.host.error));
  out += fmt::format(
      "host per request  {} + {} per layer (3 times for MLA), and {} per prompt token in a "
      "step\n",
      to_display(p.host.per_request), to_display(p.host.per_request_layer),
      to_display(p.host.per_prompt_token));
  out += fmt::format("small kernels     {} each, {} of the memory's peak ({})\n",
                     to_display(p.memory.launch), percent(p.memory.bandwidth),
                     to_text(p.memory.provenance));
  out += machine_lines(p);
  out += fmt::format(
      "expert curves     {} exact shapes: {} inform others, {} price their own shape alone; "
      "{} more probably ran untuned\n",
      curves[0] + curves[1], curves[0], curves[1], curves[2]);
  for (const std::string& note : p.notes) out += "note: " + note + "\n";
  out +=
      "\nHeld-out errors of predicted / measured - 1. experts: whole model shapes left out;\n"
      "experts+: judged by curves that inform no others too (other versions, doubtful "
      "benchmarks);\n"
      "experts*: single points of measured shapes left out; gemm: points between the knots;\n"
      "attention: lengths and heads between the knots, and one batch size left out at a time.\n"
      "small: up to 32 tokens, large: above 1024. noise: median and p90 that the scatter\n"
      "of the measurements alone leaves (calibrate/noise_floor.hpp).\n" +
      errors_heading() + show_errors(p.gpu + "/" + p.engine, p);
  out += "\nSources:\n";
  for (const std::string& source : p.sources) out += "  " + source + "\n";
  return out;
}

}  // namespace moesim
