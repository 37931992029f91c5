#include "sim/metrics/recorder.hpp"

#include <algorithm>
#include <utility>

#include "sim/base/errors.hpp"

namespace moesim {

std::string_view to_text(RequestState state) {
  constexpr std::string_view names[] = {"waiting",  "running", "streaming",
                                        "finished", "shed",    "failed"};
  return names[static_cast<std::size_t>(state)];
}

Recorder::Recorder(RecorderOptions options)
    : options_(std::move(options)),
      warmup_requests_(static_cast<std::int64_t>(std::clamp(options_.warmup, 0.0, 1.0) *
                                                 static_cast<double>(options_.requests))) {
  records_.reserve(static_cast<std::size_t>(std::max<std::int64_t>(options_.requests, 0)));
}

RequestRecord& Recorder::live(RequestId id, Seconds now) {
  MOESIM_LAW(id.index() < records_.size(), "a request arrives before anything else happens");
  RequestRecord& r = records_[id.index()];
  MOESIM_LAW(r.state < RequestState::finished, "a request ends once");
  MOESIM_LAW(now >= r.arrival, "time does not run backwards");
  last_ = std::max(last_, now);
  return r;
}

void Recorder::arrived(RequestId id, Seconds now, int tenant, int input_tokens,
                       int output_tokens) {
  MOESIM_LAW(id.index() == records_.size(), "requests arrive in the order of their ids");
  RequestRecord r;
  r.arrival = now;
  r.tenant = tenant;
  r.input_tokens = input_tokens;
  r.output_tokens = output_tokens;
  records_.push_back(r);
  last_ = std::max(last_, now);
  if (!counting_ && counts(id)) {
    counting_ = true;
    window_begin_ = now;
  }
}

void Recorder::first_scheduled(RequestId id, Seconds now, int instance) {
  RequestRecord& r = live(id, now);
  r.instance = instance;
  if (r.scheduled_) return;
  r.scheduled_ = true;
  r.first_scheduled = now;
  r.state = RequestState::running;
}

void Recorder::first_token(RequestId id, Seconds now) {
  RequestRecord& r = live(id, now);
  if (r.streamed_) return;
  MOESIM_LAW(r.scheduled_ && now >= r.first_scheduled, "a token comes after being scheduled");
  r.streamed_ = true;
  r.first_token = now;
  r.state = RequestState::streaming;
}

void Recorder::preempted(RequestId id) { ++live(id, last_).preemptions; }

void Recorder::end(RequestId id, Seconds now, RequestState how) {
  RequestRecord& r = live(id, now);
  r.end = now;
  r.state = how;
}

void Recorder::finished(RequestId id, Seconds now) {
  MOESIM_LAW(live(id, now).streamed_ && now >= live(id, now).first_token,
             "the last token is not before the first");
  end(id, now, RequestState::finished);
}

void Recorder::shed(RequestId id, Seconds now) { end(id, now, RequestState::shed); }

void Recorder::failed(RequestId id, Seconds now) { end(id, now, RequestState::failed); }

void Recorder::tokens(Seconds now, std::int64_t input, std::int64_t output) {
  last_ = std::max(last_, now);
  if (!counting_) return;
  input_tokens_ += input;
  output_tokens_ += output;
}

}  // namespace moesim
