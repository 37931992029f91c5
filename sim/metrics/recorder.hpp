// What happened to every request, as serving tells it: 56 bytes a request, pooled sketches for
// what happens per token and per step.
//
// Call order per request: arrived, then shed | (first_scheduled, first_token, finished |
// failed), with any number of preempted between. The first `warmup` share of the requests is
// simulated but not counted in any statistic; per-step and per-token statistics begin when the
// first counted request arrives.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"
#include "sim/metrics/catalog.hpp"
#include "sim/metrics/quantiles.hpp"

namespace moesim {

enum class RequestState : std::uint8_t { waiting, running, streaming, finished, shed, failed };
std::string_view to_text(RequestState state);

struct RequestRecord {
  Seconds arrival{0};
  Seconds first_scheduled{0};  // from `running` on
  Seconds first_token{0};      // from `streaming` on
  Seconds end{0};              // finished, shed or failed
  std::int32_t input_tokens = 0;
  std::int32_t output_tokens = 0;
  std::int32_t tenant = 0;
  std::int32_t instance = 0;
  std::uint16_t preemptions = 0;
  RequestState state = RequestState::waiting;

  [[nodiscard]] bool scheduled() const { return scheduled_; }
  [[nodiscard]] bool has_first_token() const { return streamed_; }
  [[nodiscard]] Seconds queue_time() const { return first_scheduled - arrival; }
  [[nodiscard]] Seconds ttft() const { return first_token - arrival; }
  [[nodiscard]] Seconds e2el() const { return end - arrival; }
  // Per output token after the first; 0 where there is none.
  [[nodiscard]] Seconds tpot() const {
    return output_tokens > 1 ? (end - first_token) / (output_tokens - 1) : Seconds{0};
  }

 private:
  friend class Recorder;
  bool scheduled_ = false;
  bool streamed_ = false;
};
static_assert(sizeof(RequestRecord) <= 64);

struct RecorderOptions {
  std::int64_t requests = 0;  // expected; what `warmup` is a share of
  double warmup = 0;          // [0, 1)
  std::vector<std::string> tenants = {"default"};
};

class Recorder {
 public:
  explicit Recorder(RecorderOptions options);

  // Requests arrive in the order of their ids: 0, 1, 2 ...
  void arrived(RequestId id, Seconds now, int tenant, int input_tokens, int output_tokens);
  // Again after a preemption or a retry: only the first time is kept.
  void first_scheduled(RequestId id, Seconds now, int instance);
  void first_token(RequestId id, Seconds now);
  void preempted(RequestId id);
  void finished(RequestId id, Seconds now);
  void shed(RequestId id, Seconds now);
  void failed(RequestId id, Seconds now);

  // `count` requests each waited `gap` for their next token (all that decode in two consecutive
  // steps wait the same). A step that gives a request several tokens is one gap, as clients
  // that receive them together see it.
  void token_gaps(Seconds gap, std::int64_t count) {
    if (counting_) pooled(MetricId::itl).add(gap.value, count);
  }
  // Tokens that a step which ended `now` processed (prefill) and gave out (decode, and first).
  void tokens(Seconds now, std::int64_t input, std::int64_t output);
  // One value of a per-step metric.
  void sample(MetricId id, Seconds value) {
    if (counting_) pooled(id).add(value.value);
  }

  [[nodiscard]] const std::vector<RequestRecord>& records() const { return records_; }
  [[nodiscard]] const std::vector<std::string>& tenants() const { return options_.tenants; }
  [[nodiscard]] bool counts(RequestId id) const { return id.value >= warmup_requests_; }
  [[nodiscard]] std::int64_t warmup_requests() const { return warmup_requests_; }
  // Statistics are taken from here ...
  [[nodiscard]] Seconds window_begin() const { return window_begin_; }
  // ... to the last thing that happened.
  [[nodiscard]] Seconds window_end() const { return last_; }
  [[nodiscard]] std::int64_t window_input_tokens() const { return input_tokens_; }
  [[nodiscard]] std::int64_t window_output_tokens() const { return output_tokens_; }
  // itl and the per-step metrics.
  [[nodiscard]] const QuantileSketch& pooled(MetricId id) const {
    return pooled_[static_cast<std::size_t>(id)];
  }

 private:
  QuantileSketch& pooled(MetricId id) { return pooled_[static_cast<std::size_t>(id)]; }
  RequestRecord& live(RequestId id, Seconds now);
  void end(RequestId id, Seconds now, RequestState how);

  RecorderOptions options_;
  std::int64_t warmup_requests_;
  std::vector<RequestRecord> records_;
  std::array<QuantileSketch, kMetrics> pooled_;
  bool counting_ = false;
  Seconds window_begin_{0};
  Seconds last_{0};
  std::int64_t input_tokens_ = 0;
  std::int64_t output_tokens_ = 0;
};

}  // namespace moesim
