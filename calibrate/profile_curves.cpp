#include "calibrate/profile_curves.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <string>
#include <string_view>

#include "calibrate/residuals.hpp"
#include "calibrate/table.hpp"
#include "sim/base/files.hpp"

namespace moesim {

namespace {

// Reads the CSV half into the sections that the TOML half announced.
class CurveReader {
 public:
  CurveReader(std::string file, Profile& profile, Diagnostics& wrong)
      : file_(std::move(file)), profile_(profile), wrong_(wrong) {}

  // Lines with content, comments apart.
  int read(const std::string& text) {
    int number = 0, lines = 0;
    std::string_view rest = text;
    while (!rest.empty()) {
      ++number;
      const auto end = rest.find('\n');
      line_ = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      if (line_.empty() || line_.front() == '#') continue;
      ++lines;
      number_ = number;
      read_line();
    }
    return lines;
  }

  [[nodiscard]] int last_line() const { return number_; }

 private:
  void fault(std::string message, std::string expected) {
    wrong_.error({file_, number_, 1, std::string(line_.substr(0, 60))}, std::move(message),
                 std::move(expected));
  }

  void read_line() {
    const auto cells = split(line_, ',');
    if (cells[0] == "axis" && cells.size() == 3) {
      axes_[std::string(cells[1])] = values(cells[2], 1);
    } else if (cells[0] == "experts" && cells.size() == 13) {
      read_experts(cells);
    } else if (cells[0] == "gemm" && cells.size() == 7) {
      read_gemm(cells);
    } else if (cells[0] == "attention" && cells.size() == 9) {
      read_attention(cells);
    } else {
      fault("this is no line of a profile", "axis, experts, gemm or attention, whole");
    }
  }

  // Numbers above zero; '-' is NaN where `scale` is that of times.
  std::vector<double> values(std::string_view text, double scale) {
    std::vector<double> out;
    for (const std::string_view word : split(text, ' ')) {
      const bool missing = word == "-" && scale != 1;
      const double value = missing ? NAN : parse_number(word) * scale;
      if (!missing && !(value > 0 && std::isfinite(value))) {
        fault(fmt::format("'{}' is no time or size", word), "a positive number");
        return {};
      }
      out.push_back(value);
    }
    return out;
  }

  // "FIRST/STEP W W ..." of `size` points, see profile_write.cpp.
  std::vector<double> weights(std::string_view text, std::size_t size) {
    std::vector<double> out;
    if (text.empty()) return out;
    const auto words = split(text, ' ');
    const auto slash = words[0].find('/');
    auto at = static_cast<std::size_t>(integer(words[0].substr(0, slash)));
    const int step = slash == std::string_view::npos ? 0 : integer(words[0].substr(slash + 1));
    if (step < 1) {
      fault(fmt::format("'{}' does not say whose weights follow", words[0]), "FIRST/STEP");
      return out;
    }
    out.resize(size);
    for (std::size_t w = 1; w < words.size(); ++w, at += static_cast<std::size_t>(step)) {
      const double value = parse_number(words[w]);
      if (at < size && std::isfinite(value)) {
        out[at] = value / kWeightUnits;
        continue;
      }
      fault(fmt::format("'{}' is no weight of a point", words[w]),
            fmt::format("finite numbers for at most {} points", size));
      return {};
    }
    return out;
  }

  const std::vector<double>& axis(std::string_view name) {
    const auto found = axes_.find(std::string(name.substr(name.starts_with('@') ? 1 : 0)));
    if (found != axes_.end() && !found->second.empty()) return found->second;
    fault(fmt::format("axis '{}' was not given before", name), "an axis line above");
    static const std::vector<double> one{1};
    return one;
  }

  int integer(std::string_view text) {
    const double value = parse_number(text);
    if (value >= 0 && value < 1e9) return static_cast<int>(value);
    fault(fmt::format("'{}' is no size", text), "a whole number");
    return 0;
  }

  Standing standing(std::string_view text) {
    for (std::size_t i = 0; i < std::size(kStandingNames); ++i) {
      if (text == kStandingNames[i]) return static_cast<Standing>(i);
    }
    fault(fmt::format("'{}' is no standing of a curve", text), "nothing, alone or untuned");
    return Standing::alone;
  }

  template <class Section>
  Section* section(std::vector<Section>& list, std::string_view index) {
    const auto i = static_cast<std::size_t>(integer(index));
    if (i < list.size()) return &list[i];
    fault(fmt::format("section {} is not in the .toml file", index),
          "the pair of files as written");
    return nullptr;
  }

  bool counted(std::size_t have, std::size_t want) {
    if (have == want) return true;
    fault(fmt::format("{} times are here", have), fmt::format("{}", want));
    return false;
  }

  void read_experts(const std::vector<std::string_view>& cells) {
    ExpertSection* s = section(profile_.experts, cells[1]);
    ExpertShapeCurve c;
    c.hidden = integer(cells[2]);
    c.intermediate = integer(cells[3]);
    const auto colon = cells[4].find(':');
    c.experts = integer(cells[4].substr(0, colon));
    if (colon != std::string_view::npos) c.most_active = integer(cells[4].substr(colon + 1));
    c.top_k = integer(cells[5]);
    c.parallel = integer(cells[6]);
    c.slices = integer(cells[7]);
    c.version = cells[8];
    c.standing = standing(cells[9]);
    c.tokens = axis(cells[10]);
    c.seconds = values(cells[11], 1e-6);
    c.weights = weights(cells[12], c.tokens.size());
    if (std::min({c.hidden, c.intermediate, c.experts, c.top_k, c.parallel, c.slices}) < 1 ||
        c.most_active > c.experts) {
      fault("a size of this shape is zero or beyond the whole", "positive sizes");
      return;
    }
    if (s != nullptr && counted(c.seconds.size(), c.tokens.size())) s->curves.push_back(c);
  }

  void read_gemm(const std::vector<std::string_view>& cells) {
    GemmSection* s = section(profile_.gemms, cells[1]);
    if (s == nullptr) return;
    s->m = axis(cells[2]);
    s->n = axis(cells[3]);
    s->k = axis(cells[4]);
    const auto plane = values(cells[6], 1e-6);
    if (!counted(plane.size(), s->n.size() * s->k.size())) return;
    s->seconds.insert(s->seconds.end(), plane.begin(), plane.end());
  }

  void read_attention(const std::vector<std::string_view>& cells) {
    AttentionSection* s = section(profile_.attention, cells[1]);
    AttentionCurveData c;
    c.heads = integer(cells[2]);
    c.kv_heads = integer(cells[3]);
    c.head_dim = integer(cells[4]);
    c.window = integer(cells[5]);
    c.batch = axis(cells[6]);
    c.tokens = axis(cells[7]);
    c.seconds = values(cells[8], 1e-6);
    if (c.heads < 1) fault("an attention kernel without heads", "a positive number of heads");
    if (s != nullptr && counted(c.seconds.size(), c.batch.size() * c.tokens.size())) {
      s->curves.push_back(c);
    }
  }

  std::string file_;
  Profile& profile_;
  Diagnostics& wrong_;
  std::map<std::string, std::vector<double>> axes_;
  std::string_view line_;
  int number_ = 0;
};

}  // namespace

void read_curves(const std::filesystem::path& path, std::int64_t announced, Profile& profile,
                 Diagnostics& wrong) {
  CurveReader curves(path.string(), profile, wrong);
  const int lines = curves.read(read_file(path));
  if (lines != announced) {
    wrong.error({path.string(), curves.last_line(), 0, ""},
                fmt::format("{} curves are here", lines),
                fmt::format("{}, as the .toml file says", announced),
                "the file is truncated or of another profile");
  }
  for (const GemmSection& s : profile.gemms) {
    if (s.seconds.size() != s.m.size() * s.n.size() * s.k.size()) {
      wrong.error({path.string(), 0, 0, ""}, "a GEMM grid is not whole",
                  "one line for each of its m");
    }
  }
}

}  // namespace moesim
