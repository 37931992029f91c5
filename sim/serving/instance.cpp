#include "sim/serving/instance.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace moesim {

Instance::Instance(int id, Machine& machine, Recorder& recorder, Blame& blame,
                   LinkLedger& ledger, std::unique_ptr<StepModel> model,
                   std::vector<AttentionRank> ranks, const ServingOptions& options,
                   std::uint64_t seed, InstanceHooks hooks)
    : id_(id),
      machine_(machine),
      recorder_(recorder),
      blame_(blame),
      ledger_(ledger),
      model_(std::move(model)),
      ranks_(std::move(ranks)),
      options_(options),
      plan_(find_entry(batching_policies(), options.batching, "batching policy").make),
      balance_(
          find_entry(balancing_policies(), options.rank_balancing, "balancing policy").make),
      hooks_(std::move(hooks)) {
  balance_state_.stream = Stream(seed, "rank balancing", static_cast<std::uint64_t>(id));
  candidates_.resize(ranks_.size());
  share_.resize(ranks_.front().batch().domain_tokens.size());
}

int Instance::waiting() const {
  return std::accumulate(ranks_.begin(), ranks_.end(), 0,
                         [](int sum, const AttentionRank& r) { return sum + r.waiting(); });
}

int Instance::running() const {
  return std::accumulate(ranks_.begin(), ranks_.end(), 0,
                         [](int sum, const AttentionRank& r) { return sum + r.running(); });
}

double Instance::kv_used(std::int64_t blocks) const {
  double used = 0;
  for (const AttentionRank& rank : ranks_) used += static_cast<double>(rank.used_blocks());
  return blocks > 0 ? used / static_cast<double>(blocks) / static_cast<double>(ranks_.size())
                    : 0;
}

Candidate Instance::candidate() const {
  Candidate all;
  for (const AttentionRank& rank : ranks_) {
    all.outstanding += rank.outstanding_tokens();
    all.requests += rank.waiting() + rank.running();
  }
  return all;
}

std::size_t Instance::pick_rank(const Request& request, int domain) {
  for (std::size_t d = 0; d < ranks_.size(); ++d) {
    candidates_[d] = {ranks_[d].outstanding_tokens(), ranks_[d].waiting() + ranks_[d].running(),
                      true};
  }
  return balance_(candidates_, {static_cast<std::uint64_t>(domain), request.prefix},
                  balance_state_);
}

Instance::Verdict Instance::submit(const Request& request, int domain) {
  if (options_.queue_cap > 0 && waiting() >= options_.queue_cap) return Verdict::shed;
  AttentionRank& rank = ranks_[pick_rank(request, domain)];
  if (!rank.ever_fits(request.input_tokens, request.output_tokens)) return Verdict::never_fits;
  RankRequest r;
  r.request = request.id.value;
  // At least one prompt token is always computed: it yields the first output token.
  r.context = std::min(request.input_tokens - 1,
                       static_cast<int>(options_.prefix_hit_ratio * request.input_tokens));
  r.prompt_left = request.input_tokens - r.context;
  r.output_left = request.output_tokens;
  r.priority = request.priority;
  r.domain = domain;
  rank.enqueue(r);
  wake();
  return Verdict::accepted;
}

void Instance::wake() {
  if (stepping_) return;
  stepping_ = true;
  // After everything else that happens now, so that requests that arrive together start
  // together.
  machine_.after(Seconds{0}, [this] { start_step(); });
}

int Instance::planned_tokens() const {
  return std::accumulate(ranks_.begin(), ranks_.end(), 0, [](int sum, const AttentionRank& r) {
    return sum + r.batch().tokens();
  });
}

void Instance::start_step() {
  const Seconds begin = machine_.now();
  events_.clear();
  plan_(ranks_, events_);
  record_moves(begin);
  hooks_.admitted(begin);
  if (planned_tokens() == 0) {
    stepping_ = false;
    return;
  }
  std::ranges::fill(share_, 0.0);
  for (const AttentionRank& rank : ranks_) {
    for (std::size_t k = 0; k < share_.size(); ++k) share_[k] += rank.batch().domain_tokens[k];
  }
  const StepReport report = model_->evaluate(ranks_, share_, ledger_, begin);
  machine_.after(report.total(), [this, begin, report] { end_step(begin, report); });
}

void Instance::record_moves(Seconds now) {
  for (const StepEvents::Moved& m : events_.moved) {
    const RequestId id{m.request};
    if (m.move == StepEvents::Move::admitted) {
      recorder_.first_scheduled(id, now, id_);
      blame_.enters(id, id_, recorder_.records()[id.index()].arrival, now);
    } else {
      recorder_.preempted(id);
      blame_.leaves(id, now);
    }
  }
}

void Instance::end_step(Seconds begin, StepReport report) {
  const Seconds now = machine_.now();
  steps_ += 1;
  busy_ += now - begin;
  network_ += Seconds{report.time[Cause::dispatch] + report.time[Cause::combine] +
                      report.time[Cause::collective]};
  host_ += Seconds{report.time[Cause::host]};
  events_.clear();
  for (AttentionRank& rank : ranks_) {
    peak_blocks_ = std::max(peak_blocks_, rank.used_blocks());
    report.prompt_tokens += rank.batch().prefill_tokens();
    rank.complete(now, events_);
  }
  report.output_tokens = events_.output_tokens;
  // A prompt counts once, when it is complete, however often it was recomputed.
  std::int64_t prompts = 0;
  for (const std::int32_t r : events_.first_token) {
    prompts += recorder_.records()[RequestId{r}.index()].input_tokens;
  }
  recorder_.tokens(now, prompts, report.output_tokens);
  hooks_.step(report, begin, now);
  record(now);
  start_step();
}

void Instance::record(Seconds now) {
  for (const auto& gap : events_.gaps) recorder_.token_gaps(gap.gap, gap.count);
  for (const std::int32_t r : events_.first_token) {
    recorder_.first_token(RequestId{r}, now);
    blame_.first_token(RequestId{r}, now);
  }
  // Hooks may submit requests; what they are told of is taken first.
  const std::vector<std::int32_t> finished = events_.finished;
  const std::vector<RankRequest> handed_over = events_.handed_over;
  for (const std::int32_t r : finished) {
    recorder_.finished(RequestId{r}, now);
    blame_.finished(RequestId{r}, now);
    hooks_.finished(RequestId{r}, now);
  }
  for (const RankRequest& r : handed_over) {
    blame_.leaves(RequestId{r.request}, now);
    hooks_.handed_over(r, now);
  }
}

}  // namespace moesim
