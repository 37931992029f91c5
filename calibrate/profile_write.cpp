#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>

#include "calibrate/profile_io.hpp"
#include "sim/base/files.hpp"
#include "sim/base/units_text.hpp"

namespace moesim {

namespace {

std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string strings(const std::vector<std::string>& list) {
  std::string out = "[\n";
  for (const std::string& text : list) out += "  " + toml_text(text) + ",\n";
  return out + "]";
}

std::string errors(const ErrorSummary& e) {
  return fmt::format("[{:.4f}, {:.4f}, {:.4f}, {}]", e.median, e.p90, e.bias, e.points);
}

std::string held_out(std::string_view name, const HeldOut& h) {
  if (h.all.points == 0) return "";
  return fmt::format("{} = {{ method = {}, all = {}, small = {}, middle = {}, large = {} }}\n",
                     name, toml_text(h.method), errors(h.all), errors(h.small),
                     errors(h.middle), errors(h.large));
}

std::string key(const KernelKey& k) {
  return fmt::format("engine = {}\nversion = {}\nkernel = {}\ndtype = \"{}\"\n",
                     toml_text(k.engine), toml_text(k.version), toml_text(k.kernel),
                     to_text(k.dtype));
}

std::string roofline(const Roofline& r) {
  return fmt::format(
      "roofline = {{ fixed_s = {}, compute = {}, bandwidth = {}, half_rows = {}, "
      "sharpness = {}, activation_share = {} }}\n",
      number_text(r.fixed_s), number_text(r.compute), number_text(r.bandwidth),
      number_text(r.half_rows), number_text(r.sharpness), number_text(r.activation_share));
}

std::string head(const Profile& p, const std::string& curves, int lines) {
  return fmt::format(
      "# A kernel profile, made by `moesim calibrate fit`; see calibrate/README.md.\n"
      "# Error lists are [median, p90, bias, points] of predicted / measured - 1, for all\n"
      "# points and for small (<= 32 tokens), middle and large (> 1024) ones.\n"
      "schema = {}\ngpu = {}\nengine = {}\nprovenance = \"{}\"\n"
      "curves = {}\ncurve_lines = {}\nsources = {}\nnotes = {}\n\n"
      "[host]\nper_step_s = {}\nper_sequence_s = {}\nper_layer_s = {}\n"
      "per_prompt_token_s = {}\nper_request_s = {}\nper_request_layer_s = {}\nprovenance = "
      "\"{}\"\nerror = {}\n\n"
      "[memory]\nlaunch_s = {}\nbandwidth = {}\nprovenance = \"{}\"\nerror = {}\n",
      p.schema, toml_text(p.gpu), toml_text(p.engine), to_text(p.provenance), toml_text(curves),
      lines, strings(p.sources), strings(p.notes), number_text(p.host.per_step.value),
      number_text(p.host.per_sequence.value), number_text(p.host.per_layer.value),
      number_text(p.host.per_prompt_token.value), number_text(p.host.per_request.value),
      number_text(p.host.per_request_layer.value), to_text(p.host.provenance),
      number_text(p.host.error), number_text(p.memory.launch.value),
      number_text(p.memory.bandwidth), to_text(p.memory.provenance),
      number_text(p.memory.error));
}

std::string numbers(const std::vector<double>& values) {
  std::string out = "[";
  for (const double value : values) out += (out.size() > 1 ? ", " : "") + number_text(value);
  return out + "]";
}

std::string tuned_text(const TunedShapes& tuned) {
  if (tuned.empty()) return "";
  std::string out = "tuned = [  # experts, width with block sizes of their own\n";
  for (const auto& [experts, width] : tuned)
    out += fmt::format("  [{}, {}],\n", experts, width);
  return out + "]\n";
}

// What only a measurement has.
std::string machine(const Profile& p) {
  std::string out;
  if (p.memory.graph_node.value > 0 || p.memory.stream_launch.value > 0) {
    out += fmt::format("graph_node_s = {}\nstream_launch_s = {}\n",
                       number_text(p.memory.graph_node.value),
                       number_text(p.memory.stream_launch.value));
  }
  for (const ExchangeCurve& c : p.exchanges) {
    out += fmt::format(
        "\n[[all_to_all]]\nengine = {}\nversion = {}\nkernel = {}\nranks = {}\npattern = {}\n"
        "bytes = {}\nseconds = {}\n",
        toml_text(c.engine), toml_text(c.version), toml_text(c.kernel), c.ranks,
        toml_text(c.pattern), numbers(c.bytes), numbers(c.seconds));
  }
  for (const EnergyPoint& e : p.energy) {
    out += fmt::format(
        "\n[[energy]]\nkernel = {}\noperation = {}\nseconds = {}\njoules = {}\nwatts = {}\n",
        toml_text(e.kernel), toml_text(e.operation), number_text(e.seconds),
        number_text(e.joules), number_text(e.watts));
  }
  return out;
}

std::string sections(const Profile& p) {
  std::string out = machine(p);
  for (const ExpertSection& s : p.experts) {
    out += fmt::format("\n[[experts]]\n{}gated = {}\n{}metric = {}\n", key(s.key), s.gated,
                       roofline(s.roofline), toml_text(s.metric));
    out += tuned_text(s.tuned);
    out += "skew = [  # tokens per expert, most loaded / mean, factor\n";
    for (const SkewPoint& point : s.skew) {
      out += fmt::format("  [{:.6g}, {:.6g}, {:.6g}],\n", point.tokens_per_expert,
                         point.imbalance, point.factor);
    }
    out += "]\n" + held_out("shapes_left_out", s.shapes_left_out) +
           held_out("all_left_out", s.all_left_out) +
           held_out("points_left_out", s.points_left_out);
  }
  for (const GemmSection& s : p.gemms) {
    out += "\n[[gemm]]\n" + key(s.key) + roofline(s.roofline) +
           held_out("points_left_out", s.points_left_out);
  }
  for (const AttentionSection& s : p.attention) {
    out += fmt::format("\n[[attention]]\nop = \"{}\"\n",
                       kAttentionOpNames[static_cast<std::size_t>(s.op)]) +
           key(s.key) + roofline(s.roofline) + held_out("points_left_out", s.points_left_out);
  }
  return out;
}

// Lists of knots that many curves share are written once, as axes.
class CurveText {
 public:
  std::string axis(const std::vector<double>& values) {
    std::string text;
    for (const double value : values) {
      text += (text.empty() ? "" : " ") + number_text(value);
    }
    const auto [found, is_new] = axes_.try_emplace(text, axes_.size());
    if (is_new) line("axis,{},{}", found->second, text);
    return fmt::format("@{}", found->second);
  }

  // `digits`: three (half a per cent at most, less than what a measurement scatters by) for
  // grids that are interpolated, four for exact curves.
  static std::string microseconds(const std::vector<double>& seconds, int digits = 4) {
    std::string text;
    for (const double s : seconds) {
      if (!text.empty()) text += ' ';
      text += std::isnan(s) ? "-" : fmt::format("{:.{}g}", s * 1e6, digits);
    }
    return text;
  }

  // "FIRST/STEP W W ..." of the points FIRST, FIRST + STEP, ...: the others have no weight.
  static std::string weights(const std::vector<double>& weights) {
    std::size_t first = weights.size(), step = 0;
    for (std::size_t i = weights.size(); i-- > 0;) {
      if (weights[i] == 0) continue;
      step = first < weights.size() ? std::gcd(step, first - i) : 0;
      first = i;
    }
    if (first == weights.size()) return "";
    std::string text = fmt::format("{}/{}", first, std::max<std::size_t>(1, step));
    for (std::size_t i = first; i < weights.size(); i += std::max<std::size_t>(1, step)) {
      text += fmt::format(" {:.0f}", weights[i] * kWeightUnits);
    }
    return text;
  }

  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(body_), format, std::forward<Args>(args)...);
    body_ += '\n';
    ++lines_;
  }

  [[nodiscard]] int lines() const { return lines_; }
  [[nodiscard]] const std::string& body() const { return body_; }

 private:
  std::map<std::string, std::size_t> axes_;
  std::string body_;
  int lines_ = 0;
};

void write_curves(CurveText& out, const Profile& p) {
  for (std::size_t i = 0; i < p.experts.size(); ++i) {
    for (const ExpertShapeCurve& c : p.experts[i].curves) {
      const std::string tokens = out.axis(c.tokens);
      const std::string experts = c.most_active > 0
                                      ? fmt::format("{}:{}", c.experts, c.most_active)
                                      : fmt::format("{}", c.experts);
      out.line("experts,{},{},{},{},{},{},{},{},{},{},{},{}", i, c.hidden, c.intermediate,
               experts, c.top_k, c.parallel, c.slices, c.version,
               kStandingNames[static_cast<std::size_t>(c.standing)], tokens,
               CurveText::microseconds(c.seconds), CurveText::weights(c.weights));
    }
  }
  for (std::size_t i = 0; i < p.gemms.size(); ++i) {
    const GemmSection& s = p.gemms[i];
    const std::string m = out.axis(s.m), n = out.axis(s.n), k = out.axis(s.k);
    const std::size_t plane = s.n.size() * s.k.size();
    for (std::size_t a = 0; a < s.m.size(); ++a) {
      const auto first = s.seconds.begin() + static_cast<std::ptrdiff_t>(a * plane);
      out.line("gemm,{},{},{},{},{},{}", i, m, n, k, number_text(s.m[a]),
               CurveText::microseconds({first, first + static_cast<std::ptrdiff_t>(plane)}, 3));
    }
  }
  for (std::size_t i = 0; i < p.attention.size(); ++i) {
    for (const AttentionCurveData& c : p.attention[i].curves) {
      const std::string batch = out.axis(c.batch), tokens = out.axis(c.tokens);
      out.line("attention,{},{},{},{},{},{},{},{}", i, c.heads, c.kv_heads, c.head_dim,
               c.window, batch, tokens, CurveText::microseconds(c.seconds, 3));
    }
  }
}

}  // namespace

void write_profile(const std::filesystem::path& path, const Profile& profile) {
  CurveText curves;
  write_curves(curves, profile);
  std::filesystem::path beside = path;
  beside.replace_extension(".csv");
  const std::string text =
      "# Curves of the profile beside this file, which names their sources; microseconds, '-' "
      "where\n"
      "# not measured.\n"
      "# axis,NUMBER,VALUES\n"
      "# experts,SECTION,HIDDEN,INTERMEDIATE,EXPERTS,TOP_K,PARALLEL,SLICES,VERSION,STANDING,"
      "TOKENS,US,WEIGHTS\n"
      "# STANDING: alone where the curve says nothing about other shapes, untuned where "
      "nothing at "
      "all\n"
      "# WEIGHTS: FIRST/STEP, then thousandths: the points' parts in the correction for "
      "others\n"
      "# EXPERTS as 256:128 where the benchmark's router could reach 128 of them\n"
      "# gemm,SECTION,M_AXIS,N_AXIS,K_AXIS,M,US (n rows of k)\n"
      "# attention,SECTION,HEADS,KV_HEADS,HEAD_DIM,WINDOW,BATCH,TOKENS,US (batch rows)\n";
  write_file(beside, text + curves.body());
  write_file(path,
             head(profile, beside.filename().string(), curves.lines()) + sections(profile));
}

}  // namespace moesim
