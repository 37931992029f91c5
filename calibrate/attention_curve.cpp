// Attention: from a profile's sections to the tables that are looked up per layer.
#include <algorithm>
#include <cmath>
#include <optional>

#include "calibrate/attention_model.hpp"
#include "calibrate/cost_model.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/section_choice.hpp"
#include "calibrate/tabulate.hpp"

namespace moesim {

namespace {

// Share of the peaks where nothing was measured.
const Roofline kTypical{10e-6, 0.5, 0.75, 0, 3, 0.75};

// One kernel of attention at any size: a section's model, or the datasheet.
class Kernel {
 public:
  Kernel(const Profile& profile, AttentionOp op, const HeadConfig& config, Dtype kv_cache,
         const Device& measured, const Device& target)
      : op_(op), config_(config), kv_cache_(kv_cache), measured_(measured), target_(target) {
    section_ = choose_section(profile.attention, kv_cache,
                              [&](const AttentionSection& s) { return s.op == op; });
    if (section_ != nullptr) model_.emplace(*section_, config, measured);
  }

  [[nodiscard]] double time(double batch, double tokens) const {
    if (!model_) return roofline(kTypical, kv_cache_, target_, batch, tokens);
    const double base = model_->predict(batch, tokens);
    if (section_->key.dtype == kv_cache_ && measured_.name == target_.name) return base;
    return base * roofline(section_->roofline, kv_cache_, target_, batch, tokens) /
           roofline(section_->roofline, section_->key.dtype, measured_, batch, tokens);
  }

  [[nodiscard]] CurveOrigin origin() const {
    if (!model_) return {Provenance::assumed, 0.4, "datasheet roofline"};
    CurveOrigin origin{model_->exact() ? Provenance::interpolated : Provenance::extrapolated,
                       section_->points_left_out.all.median,
                       describe(section_->key, kv_cache_)};
    if (section_->key.dtype != kv_cache_) {
      origin.provenance = Provenance::assumed;
      origin.error += kStandInError;
    }
    return origin;
  }

 private:
  [[nodiscard]] double roofline(const Roofline& fit, Dtype dtype, const Device& device,
                                double batch, double tokens) const {
    return roofline_time(fit, attention_work(op_, config_, dtype, batch, tokens),
                         peak_flops(device, Dtype::bf16).value, device.memory_bandwidth.value);
  }

  AttentionOp op_;
  HeadConfig config_;
  Dtype kv_cache_;
  const Device& measured_;
  const Device& target_;
  const AttentionSection* section_ = nullptr;
  std::optional<AttentionModel> model_;
};

CurveOrigin worse(CurveOrigin a, const CurveOrigin& b) {
  a.provenance = worst(a.provenance, b.provenance);
  a.error = std::max(a.error, b.error);
  if (b.note != a.note) a.note += "; " + b.note;
  return a;
}

const std::vector<double>& batches() {
  static const std::vector<double> knots = half_octaves(1, 4096);
  return knots;
}

const std::vector<double>& lengths() {
  static const std::vector<double> knots = half_octaves(1, 1 << 20);
  return knots;
}

// Gated delta and similar layers keep one head_dim x head_dim fp32 state per head and sequence:
// decode reads and writes it; prefill works in chunks of 64 (Yang et al., 2406.06484).
AttentionCurve linear_attention(const AttentionConfig& config, const Device& device) {
  const double state = static_cast<double>(config.heads) * config.head_dim * config.head_dim;
  const double peak = device.bf16_flops.value, bandwidth = device.memory_bandwidth.value;
  const auto decode = tabulate(batches(), {1.0}, [&](double batch, double) {
    return roofline_time(kTypical, {4 * batch * state, batch * state * 8, 0, 1}, peak,
                         bandwidth);
  });
  const Roofline chunked{20e-6, 0.25, 0.6, 0, 3, 0.6};
  const auto prefill = tabulate(batches(), lengths(), [&](double batch, double tokens) {
    const double flops =
        batch * tokens * config.heads * config.head_dim * (6.0 * config.head_dim + 4 * 64);
    const double bytes = batch * tokens * config.heads * config.head_dim * 8.0;
    return roofline_time(chunked, {flops, bytes + batch * state * 8, 0, 1}, peak, bandwidth);
  });
  return {
      decode, prefill, 1, {Provenance::assumed, 0.4, "linear attention by its state's bytes"}};
}

}  // namespace

AttentionCurve CostModel::attention(const AttentionConfig& config) const {
  if (config.kind == AttentionConfig::Kind::linear) return linear_attention(config, target_);
  const bool mla = config.kind == AttentionConfig::Kind::mla;
  const HeadConfig heads{config.heads, mla ? 0 : config.kv_heads, mla ? 0 : config.head_dim,
                         mla ? 0 : config.window};
  const Kernel decode(*profile_, mla ? AttentionOp::mla_decode : AttentionOp::decode, heads,
                      config.kv_cache, measured_, target_);
  const Kernel prefill(*profile_, mla ? AttentionOp::mla_prefill : AttentionOp::prefill, heads,
                       config.kv_cache, measured_, target_);
  CurveOrigin origin = worse(decode.origin(), prefill.origin());
  std::optional<Kernel> bmm;
  if (mla) {
    bmm.emplace(*profile_, AttentionOp::mla_bmm, heads, config.compute, measured_, target_);
    origin = worse(origin, bmm->origin());
  }
  // The tables are of a latent of 512 + 64 and heads of 128 + 64 + 128; others move and
  // multiply in proportion.
  const double latent =
      mla && config.kv_lora_rank > 0 ? (config.kv_lora_rank + config.rope_dim) / 576.0 : 1;
  const auto decode_grid = tabulate(
      batches(), lengths(),
      [&](double batch, double kv) {
        const double absorb = bmm ? 2 * bmm->time(1, batch) : 0;  // before and after
        return decode.time(batch, kv) * latent + absorb;
      },
      Shape::nondecreasing);
  const double expanded = mla && config.nope_dim > 0
                              ? (config.nope_dim + config.rope_dim + config.v_dim) / 320.0
                              : 1;
  const auto prefill_grid = tabulate(
      batches(), lengths(),
      [&](double batch, double tokens) { return prefill.time(batch, tokens) * expanded; },
      Shape::nondecreasing);
  add_transfer(origin);
  return {decode_grid, prefill_grid, mla ? 0.0 : config.window, origin};
}

AttentionCurve::AttentionCurve(std::shared_ptr<const LogGrid> decode,
                               std::shared_ptr<const LogGrid> prefill, double window,
                               CurveOrigin origin)
    : decode_(std::move(decode)),
      prefill_(std::move(prefill)),
      window_(window),
      origin_(std::move(origin)) {}

Seconds AttentionCurve::decode(double batch, double mean_kv) const {
  if (batch <= 0) return Seconds{0};
  return Seconds{decode_->at(std::max(1.0, batch), std::max(1.0, mean_kv))};
}

Seconds AttentionCurve::prefill(double tokens, double context) const {
  return prefill(1, tokens, context);
}

Seconds AttentionCurve::prefill(double chunks, double tokens, double context) const {
  if (chunks <= 0 || tokens <= 0) return Seconds{0};
  if (context <= 0) return Seconds{prefill_->at(std::max(1.0, chunks), std::max(1.0, tokens))};
  // The length of a whole prompt with as many (query, key) pairs.
  double equal = 0;
  if (window_ > 0 && context + tokens > window_) {
    const double before = std::min(context, window_);
    const double growing = std::clamp(window_ - before, 0.0, tokens);
    const double pairs = growing * (before + growing / 2) + (tokens - growing) * window_;
    const double triangle = window_ * window_ / 2;
    equal = pairs > triangle ? window_ + (pairs - triangle) / window_ : std::sqrt(2 * pairs);
  } else {
    equal = std::sqrt(tokens * (2 * context + tokens));
  }
  const double by_pairs = prefill_->at(std::max(1.0, chunks), std::max(1.0, equal));
  // It cannot be faster than reading the cache once.
  return std::max(Seconds{by_pairs}, decode(chunks, context + tokens));
}

}  // namespace moesim
