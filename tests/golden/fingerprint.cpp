#include "tests/golden/fingerprint.hpp"

#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

namespace moesim::tests {
namespace {

// FNV-1a, 64 bits (Fowler, Noll, Vo).
std::string hash_of(const std::string& bytes) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

std::string rounded(const nlohmann::json& value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value.get<double>());
  return text;
}

}  // namespace

Fingerprint fingerprint_of(const std::string& result) {
  const nlohmann::json json = nlohmann::json::parse(result);
  Fingerprint out;
  for (const auto& [name, metric] : json.at("metrics").items()) {
    if (metric.contains("mean") && metric.at("mean").is_number()) {
      out[name + ".mean"] = rounded(metric.at("mean"));
    }
  }
  for (const char* part : {"throughput", "utilization", "balance"}) {
    for (const auto& [name, value] : json.at(part).items()) {
      if (value.is_number()) out[std::string(part) + "." + name] = rounded(value);
    }
  }
  out["bytes"] = hash_of(result);
  return out;
}

std::string to_text(const Fingerprints& all) {
  std::string out =
      "# What the golden scenarios give. Written by tools/dev/bless; read the difference "
      "before\n# committing it, and say in the commit why it is right.\n";
  for (const auto& [scenario, figures] : all) {
    out += "\n[" + scenario + "]\n";
    for (const auto& [figure, value] : figures) out += figure + " = " + value + "\n";
  }
  return out;
}

Fingerprints read_fingerprints(const std::string& text) {
  Fingerprints out;
  std::istringstream lines(text);
  std::string line, scenario;
  while (std::getline(lines, line)) {
    const std::size_t equals = line.find(" = ");
    if (line.starts_with("[")) {
      scenario = line.substr(1, line.size() - 2);
    } else if (equals != std::string::npos && !line.starts_with("#")) {
      out[scenario][line.substr(0, equals)] = line.substr(equals + 3);
    }
  }
  return out;
}

std::string moved(const std::string& scenario, const Fingerprint& was, const Fingerprint& is) {
  Fingerprint all = was;
  all.insert(is.begin(), is.end());
  const auto value = [](const Fingerprint& of, const std::string& figure) {
    const auto found = of.find(figure);
    return found == of.end() ? std::string("nothing") : found->second;
  };
  std::string out;
  for (const auto& [figure, any] : all) {
    const std::string before = value(was, figure);
    const std::string now = value(is, figure);
    if (before == now) continue;
    out += scenario + ": " + figure + " was " + before + ", is " + now + "\n";
  }
  return out;
}

}  // namespace moesim::tests
