#include "sim/serving/instance.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace moesim {

Instance::Instance(int id, Machine& machine, Transfers& transfers, Recorder& recorder,
                   Blame& blame, LinkLedger& ledger, std::unique_ptr<StepModel> model,
                   std::vector<AttentionRank> ranks, const ServingOptions& options,
                   std::uint64_t seed, InstanceHooks hooks)
    : id_(id),
      machine_(machine),
      transfers_(transfers),
      recorder_(recorder),
      blame_(blame),
      ledger_(ledger),
      model_(std::move(model)),
      ranks_(std::move(ranks)),
      options_(options),
      plan_(find_entry(batching_policies(), options.batching, "batching policy").make),
      queue_look_(options),
      balance_(
          find_entry(balancing_policies(), options.rank_balancing, "balancing policy").make),
      hooks_(std::move(hooks)) {
  balance_state_.stream = Stream(seed, "rank balancing", static_cast<std::uint64_t>(id));
  candidates_.resize(ranks_.size());
  coming_.assign(ranks_.size(), 0);
  gone_.assign(ranks_.size(), false);
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
  all.outstanding = std::accumulate(coming_.begin(), coming_.end(), std::int64_t{0});
  for (const AttentionRank& rank : ranks_) {
    all.outstanding += rank.outstanding_tokens();
    all.requests += rank.waiting() + rank.running();
  }
  all.available = !down_ && !draining_;
  return all;
}

std::size_t Instance::pick_rank(const BalanceKey& key) {
  for (std::size_t d = 0; d < ranks_.size(); ++d) {
    candidates_[d] = {ranks_[d].outstanding_tokens() + coming_[d],
                      ranks_[d].waiting() + ranks_[d].running(), !gone_[d]};
  }
  return balance_(candidates_, key, balance_state_);
}

bool Instance::ever_fits(int prompt, int output) const {
  return ranks_.front().ever_fits(prompt, output);
}

void Instance::accept(const RankRequest& request, const BalanceKey& key) {
  enqueue(pick_rank(key), request);
  wake();
}

int Instance::expect(const RankRequest& request, const BalanceKey& key) {
  const std::size_t d = pick_rank(key);
  coming_[d] += request.prompt_left + request.output_left;
  return static_cast<int>(d);
}

void Instance::accept_at(int rank, const RankRequest& request) {
  const auto d = static_cast<std::size_t>(rank);
  coming_[d] -= request.prompt_left + request.output_left;
  if (!has_rank(rank)) return;
  enqueue(d, request);
  wake();
}

void Instance::enqueue(std::size_t rank, const RankRequest& request) {
  if (stepping_ && queue_look_.holds_back()) {
    ranks_[rank].hold_back(request);
  } else {
    ranks_[rank].enqueue(request);
  }
}

Instance::Verdict Instance::submit(const Request& request, int domain) {
  if (options_.queue_cap > 0 && waiting() >= options_.queue_cap) return Verdict::shed;
  if (!ever_fits(request.input_tokens, request.output_tokens)) return Verdict::never_fits;
  RankRequest r;
  r.request = request.id.value;
  // At least one prompt token is always computed: it yields the first output token.
  r.context = std::min(request.input_tokens - 1,
                       static_cast<int>(options_.prefix_hit_ratio * request.input_tokens));
  r.prompt_left = request.input_tokens - r.context;
  r.output_left = request.output_tokens;
  r.priority = request.priority;
  r.domain = domain;
  r.arrival = request.arrival;
  accept(r, {static_cast<std::uint64_t>(domain), request.prefix});
  return Verdict::accepted;
}

void Instance::free_kv(int rank, int blocks, int life) {
  ranks_[static_cast<std::size_t>(rank)].free_kv(blocks, life);
  if (!down_) wake();
}

void Instance::wake() {
  if (stepping_ || halted_) return;
  stepping_ = true;
  // After everything else that happens now, so that requests that arrive together start
  // together.
  machine_.after(Seconds{0}, [this, halts = halts_] {
    if (halts == halts_) start_step(PipelineFill::empty);
  });
}

void Instance::halt() {
  halted_ = true;
  stepping_ = false;
  ++halts_;
  transfers_.idle(id_);
}

void Instance::resume(Cause why) {
  blame_.idle(id_, machine_.now(), why);
  halted_ = false;
  wake();
}

std::vector<RankRequest> Instance::lose_ranks(const std::vector<bool>& gone) {
  const Seconds now = machine_.now();
  if (halted_) blame_.idle(id_, now, Cause::fault);
  std::vector<RankRequest> lost;
  for (std::size_t d = 0; d < ranks_.size(); ++d) {
    if (!gone[d] || gone_[d]) continue;
    const int running = ranks_[d].running();
    const std::vector<RankRequest> requests = ranks_[d].evict_all();
    for (int i = 0; i < running; ++i) {
      blame_.leaves(RequestId{requests[static_cast<std::size_t>(i)].request}, now);
    }
    lost.insert(lost.end(), requests.begin(), requests.end());
  }
  gone_ = gone;
  down_ = std::ranges::all_of(gone_, [](bool g) { return g; });
  return lost;
}

std::vector<RankRequest> Instance::resize_kv(std::int64_t blocks) {
  std::vector<RankRequest> never;
  events_.clear();
  for (AttentionRank& rank : ranks_) {
    const std::vector<RankRequest> some = rank.resize_kv(blocks, events_);
    never.insert(never.end(), some.begin(), some.end());
  }
  if (halted_) blame_.idle(id_, machine_.now(), Cause::fault);
  record_moves(machine_.now());
  return never;
}

void Instance::shed_late(Seconds now) {
  if (options_.queue_deadline.value < 0) return;
  for (AttentionRank& rank : ranks_) {
    for (const RankRequest& r : rank.shed_before(now - options_.queue_deadline)) {
      hooks_.shed(r, now);
    }
  }
}

int Instance::planned_tokens() const {
  return std::accumulate(ranks_.begin(), ranks_.end(), 0, [](int sum, const AttentionRank& r) {
    return sum + r.batch().tokens();
  });
}

void Instance::start_step(PipelineFill fill) {
  const Seconds begin = machine_.now();
  shed_late(begin);
  if (queue_look_.due(ranks_, decoded_)) {
    for (AttentionRank& rank : ranks_) rank.receive();
  }
  events_.clear();
  plan_(ranks_, events_);
  record_moves(begin);
  hooks_.admitted(begin);
  if (planned_tokens() == 0) {
    stepping_ = false;
    transfers_.idle(id_);
    return;
  }
  std::ranges::fill(share_, 0.0);
  for (const AttentionRank& rank : ranks_) {
    for (std::size_t k = 0; k < share_.size(); ++k) share_[k] += rank.batch().domain_tokens[k];
    swapped_tokens_ += rank.batch().swapped_tokens;
  }
  transfers_.open_step();
  const StepReport report = model_->evaluate(ranks_, share_, ledger_, begin, fill);
  decoded_ = !report.prefill;
  transfers_.close_step(id_, report.total());
  machine_.after(report.total(), [this, begin, report, halts = halts_] {
    if (halts == halts_) end_step(begin, report);
  });
}

void Instance::record_moves(Seconds now) {
  for (const StepEvents::Moved& m : events_.moved) {
    const RequestId id{m.request};
    if (m.move == StepEvents::Move::admitted) {
      recorder_.first_scheduled(id, now, id_);
      blame_.enters(id, id_, recorder_.records()[id.index()].arrival, now, m.waited);
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
  std::vector<int> handed_by;  // the rank of each that is handed over
  for (std::size_t d = 0; d < ranks_.size(); ++d) {
    AttentionRank& rank = ranks_[d];
    peak_blocks_ = std::max(peak_blocks_, rank.used_blocks());
    report.prompt_tokens += rank.batch().prefill_tokens();
    rank.complete(now, events_);
    handed_by.resize(events_.handed_over.size(), static_cast<int>(d));
  }
  report.output_tokens = events_.output_tokens;
  // A prompt counts once, when it is complete, however often it was recomputed.
  std::int64_t prompts = 0;
  for (const std::int32_t r : events_.prompts) {
    prompts += recorder_.records()[RequestId{r}.index()].input_tokens;
  }
  recorder_.tokens(now, prompts, report.output_tokens);
  hooks_.step(report, begin, now);
  record(now, handed_by);
  if (!halted_) start_step(PipelineFill::running);
}

void Instance::record(Seconds now, const std::vector<int>& handed_by) {
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
  for (std::size_t i = 0; i < handed_over.size(); ++i) {
    blame_.leaves(RequestId{handed_over[i].request}, now);
    hooks_.handed_over(handed_over[i], handed_by[i], now);
  }
}

}  // namespace moesim
