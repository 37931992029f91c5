// Values as bytes and back, between a process and its forked child: the same program on both
// ends, so what is trivially copyable travels as it lies in memory.
//
//   Archive out;  out(value);  send(out.bytes());
//   Archive in(std::move(received));  in(value);
//
// A struct with texts or vectors lists its members once, for both directions:
//   void parts(Archive& a, Thing& t) { a(t.name, t.values); }
#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sim/base/errors.hpp"

namespace moesim {

class Archive {
 public:
  Archive() = default;
  explicit Archive(std::string bytes) : bytes_(std::move(bytes)), reading_(true) {}

  template <class... T>
  void operator()(T&... values) {
    (one(values), ...);
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  // Reading: everything has been read.
  [[nodiscard]] bool at_end() const { return at_ == bytes_.size(); }

 private:
  template <class T>
  void one(T& value) {
    if constexpr (std::is_trivially_copyable_v<T>) {
      raw(&value, sizeof value);
    } else {
      parts(*this, value);
    }
  }
  void one(std::string& text) {
    text.resize(size(text.size()));
    raw(text.data(), text.size());
  }
  template <class T>
  void one(std::vector<T>& list) {
    list.resize(size(list.size()));
    for (T& element : list) one(element);
  }

  template <class T>
  void one(std::optional<T>& value) {
    bool there = value.has_value();
    raw(&there, sizeof there);
    if (reading_) value.reset();
    if (!there) return;
    if (!value) value.emplace();
    one(*value);
  }

  std::size_t size(std::size_t n) {
    raw(&n, sizeof n);
    MOESIM_LAW(!reading_ || n <= bytes_.size() - at_, "an archive holds what it says it holds");
    return n;
  }
  void raw(void* value, std::size_t n) {
    if (n == 0) return;
    if (!reading_) {
      bytes_.append(static_cast<const char*>(value), n);
      return;
    }
    MOESIM_LAW(n <= bytes_.size() - at_, "an archive is read as it was written");
    std::memcpy(value, bytes_.data() + at_, n);
    at_ += n;
  }

  std::string bytes_;
  std::size_t at_ = 0;
  bool reading_ = false;
};

}  // namespace moesim
