#include "calibrate/measure/model_file.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <system_error>

#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"
#include "sim/base/spelling.hpp"

namespace moesim {
namespace {

namespace fs = std::filesystem;

fs::path find_model(const std::string& name, const fs::path& models) {
  if (fs::exists(name) && fs::is_regular_file(name)) return name;
  if (fs::exists(models / (name + ".toml"))) return models / (name + ".toml");
  std::vector<std::string> known;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(models, absent)) {
    if (entry.path().extension() == ".toml") known.push_back(entry.path().stem().string());
  }
  std::sort(known.begin(), known.end());
  throw InputError(fmt::format("there is no model '{}'", name),
                   known.empty()
                       ? fmt::format("a .toml file; {} holds none", models.string())
                       : fmt::format("a .toml file, or one of {}", fmt::join(known, ", ")),
                   did_you_mean(name, known));
}

toml::table parse(const fs::path& path) {
  try {
    return toml::parse(read_file(path), path.string());
  } catch (const toml::parse_error& e) {
    const auto at = e.source().begin;
    throw InputError(
        {{Severity::error,
          {path.string(), static_cast<int>(at.line), static_cast<int>(at.column), ""},
          std::string(e.description()),
          "a TOML file of one model",
          ""}});
  }
}

}  // namespace

MeasuredModel read_measured_model(const std::string& name_or_path, const fs::path& models) {
  const fs::path path = find_model(name_or_path, models);
  const toml::table file = parse(path);
  Diagnostics wrong;
  const auto count = [&](const char* key) {
    const auto node = file.at_path(key);
    const auto value = node.value<std::int64_t>().value_or(0);
    if (value > 0 && value < 1'000'000) return static_cast<int>(value);
    const int line = node ? static_cast<int>(node.node()->source().begin.line) : 0;
    wrong.error(
        {path.string(), line, line > 0 ? 1 : 0, ""},
        fmt::format("'{}' is {}", key, node ? "not a positive whole number" : "missing"),
        "a model with routed experts: hidden, moe_intermediate, experts, top_k");
    return 0;
  };
  MeasuredModel model;
  model.name = path.stem().string();
  model.hidden = count("hidden");
  model.moe_intermediate = count("moe_intermediate");
  model.experts = count("experts");
  model.top_k = count("top_k");
  // Multi-head latent attention has no KV heads: its decode kernel is not measured.
  if (file.at_path("attention.kind").value_or<std::string>("gqa") == "gqa") {
    model.heads = count("attention.heads");
    model.kv_heads = count("attention.kv_heads");
    model.head_dim = count("attention.head_dim");
  }
  wrong.throw_if_errors();
  return model;
}

}  // namespace moesim
