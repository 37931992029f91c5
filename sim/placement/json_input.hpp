// Reads JSON values of expected types and collects every fault. Included by .cpp files that
// include <nlohmann/json.hpp> themselves.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/diagnostics.hpp"

namespace moesim {

class JsonInput {
 public:
  // Given in place of a key's owner: the value itself is meant.
  struct Itself {};
  static constexpr Itself itself{};

  explicit JsonInput(std::string file) : file_(std::move(file)) {}

  // A discarded value (and a fault with line and column) for malformed text.
  nlohmann::json parse(std::string_view text);

  void fault(std::string message, std::string expected, std::string hint = {});
  void throw_if_faults() const { faults_.throw_if_errors(); }

  // `fallback` where the key is absent; a fault and `fallback` where it has another type.
  int integer(const nlohmann::json& owner, const char* key, int fallback);
  bool boolean(const nlohmann::json& owner, const char* key, bool fallback);
  std::string text(const nlohmann::json& owner, const char* key, const std::string& fallback);

  // T is int or double.
  template <class T>
  std::vector<T> row(const nlohmann::json& value, const std::string& name);
  template <class T>
  std::vector<std::vector<T>> matrix(const nlohmann::json& value, const std::string& name,
                                     Itself);
  template <class T>
  std::vector<std::vector<T>> matrix(const nlohmann::json& owner, const char* key);

 private:
  std::string file_;
  Diagnostics faults_;
};

}  // namespace moesim
