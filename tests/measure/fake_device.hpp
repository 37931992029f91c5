// A device whose latency law is known: t = launch + max(bytes / bandwidth, flops / rate), with
// multiplicative lognormal noise, and a clock of its own that sampling advances. Uneven experts
// cost 7 % more.
#pragma once

#include <cmath>
#include <functional>
#include <set>
#include <string>

#include "calibrate/measure/device.hpp"
#include "sim/base/errors.hpp"
#include "sim/base/rng.hpp"

namespace moesim {

class FakeDevice final : public MeasuredDevice {
 public:
  explicit FakeDevice(double noise = 0.003, std::uint64_t seed = 7)
      : noise_(noise), stream_(seed, "fake device") {
    facts_.name = "NVIDIA H200";
    facts_.system = system_key(facts_.name);
    facts_.versions = "none";
    facts_.library = "fake-1";
    facts_.gpus = 1;
    facts_.compute_capability = 90;
    facts_.memory = Bytes{141e9};
    facts_.l2_cache = Bytes{60e6};
    facts_.memory_bandwidth = BytesPerSecond{4.8e12};
    facts_.flops = FlopsPerSecond{990e12};
  }

  [[nodiscard]] static Seconds law(const Operation& op) {
    const double memory = bytes_of(op).value / 4e12;
    const double compute = flops_of(op).value / 600e12;
    const bool uneven = op.kind == OpKind::experts && op.pattern != ExchangePattern::uniform;
    return Seconds{(4e-6 + std::max(memory, compute)) * (uneven ? kUneven : 1)};
  }

  [[nodiscard]] const DeviceFacts& facts() const override { return facts_; }
  std::optional<std::string> prepare(const Operation& op) override {
    if (prepared >= lost_after) throw WorldError("unspecified launch failure");
    fail_where_told(op);
    if (op.dtype == refused) return "this fake refuses " + std::string(to_text(op.dtype));
    op_ = op;
    now += setup;
    ++prepared;
    return std::nullopt;
  }
  [[nodiscard]] std::string kernel() const override {
    return op_.kind == OpKind::experts ? "fake_" + std::string(to_text(op_.backend)) : "fake";
  }
  std::vector<Seconds> sample(int count) override {
    std::vector<Seconds> times;
    for (int i = 0; i < count; ++i) {
      times.push_back(law(op_) * std::exp(noise_ * stream_.normal()));
      now += times.back() + overhead;
    }
    return times;
  }
  std::optional<Conditions> conditions() override {
    return Conditions{1980, 3201, 45, 400, throttle};
  }
  std::optional<EnergyLoop> energy(Seconds loop) override {
    now += loop;
    return EnergyLoop{Joules{500 * loop.value}, loop, loop / law(op_)};
  }
  std::optional<Verification> verify(const Operation& op, std::string&) override {
    fail_where_told(op);
    return Verification{1e-4, 1e-2};
  }

  [[nodiscard]] std::function<Seconds()> clock() {
    return [this] { return now; };
  }

  static constexpr double kUneven = 1.07;
  DeviceFacts facts_;
  Seconds now{0};
  Seconds setup{0.01};
  int prepared = 0;
  std::uint64_t throttle = 0;
  Dtype refused = Dtype::fp4;
  Dtype failing = Dtype::fp4;
  int lost_after = 1'000'000;  // operations
  Seconds overhead{1e-4};      // of a timing, beyond the time that it gives

 private:
  void fail_where_told(const Operation& op) const {
    if (op.dtype != failing) return;
    throw OperationFailed("multiplying: CUBLAS_STATUS_EXECUTION_FAILED");
  }

  double noise_;
  Stream stream_;
  Operation op_;
};

}  // namespace moesim
