#include <array>
#include <cctype>
#include <string_view>

#include "calibrate/measure/device.hpp"

namespace moesim {
namespace {

struct Known {
  std::string_view part;  // of the driver's name
  std::string_view key;
};
// The first that matches: GB200 before B200. The NVL card has another clock and no datasheet
// here.
constexpr std::array<Known, 8> kKnown{{{"GB200", "gb200"},
                                       {"B200", "b200_sxm"},
                                       {"H200 NVL", "h200_nvl"},
                                       {"H200", "h200_sxm"},
                                       {"H100 80GB HBM3", "h100_sxm"},
                                       {"A100-SXM4-80GB", "a100_sxm"},
                                       {"L40S", "l40s"},
                                       {"cpu", "cpu"}}};

}  // namespace

std::string system_key(const std::string& device_name) {
  for (const auto& known : kKnown) {
    if (device_name.find(known.part) != std::string::npos) return std::string(known.key);
  }
  std::string key;
  for (const char c : device_name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (plain) key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (!plain && !key.empty() && key.back() != '_') key += '_';
  }
  return key.empty() ? "unknown" : key;
}

}  // namespace moesim
