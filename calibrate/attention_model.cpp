#include "calibrate/attention_model.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <tuple>

namespace moesim {

namespace {

constexpr int kMlaRank = 512, kMlaRope = 64, kMlaNope = 128, kMlaValue = 128;

// Pairs of (query, key) of a causal prompt, each query seeing at most `window` keys.
double causal_pairs(double tokens, double window) {
  if (window <= 0 || tokens <= window) return tokens * (tokens + 1) / 2;
  return window * (window + 1) / 2 + (tokens - window) * window;
}

// How unlike two head configurations are; windows only match windows.
double unlikeness(const HeadConfig& a, const HeadConfig& b) {
  const auto apart = [](double x, double y) {
    return std::abs(std::log2((x + 0.5) / (y + 0.5)));
  };
  return apart(a.heads, b.heads) + apart(a.kv_heads, b.kv_heads) +
         2 * apart(a.head_dim, b.head_dim) + ((a.window > 0) != (b.window > 0) ? 8 : 0) +
         0.1 * apart(a.window, b.window);
}

// Where else than in their heads two configurations must agree to lie on one line.
auto line_of(const HeadConfig& config) {
  return std::tuple(config.kv_heads, config.head_dim, config.window);
}

}  // namespace

HeadConfig config_of(const AttentionCurveData& curve) {
  return {curve.heads, curve.kv_heads, curve.head_dim, curve.window};
}

RooflineWork attention_work(AttentionOp op, const HeadConfig& config, Dtype kv_cache,
                            double batch, double tokens) {
  const double bytes = info(kv_cache).weight_bytes;
  const double seen = config.window > 0 ? std::min<double>(tokens, config.window) : tokens;
  const double width = static_cast<double>(config.heads) * config.head_dim;
  const double kv_width = 2.0 * config.kv_heads * config.head_dim;
  RooflineWork work;
  switch (op) {
    case AttentionOp::decode:
      // One tile of keys at least.
      work = {4 * batch * seen * width, batch * (seen + 64) * kv_width * bytes,
              batch * width * 4, batch * std::max(1, config.kv_heads)};
      break;
    case AttentionOp::prefill:
      work = {4 * batch * causal_pairs(tokens, config.window) * width,
              batch * tokens * kv_width * bytes, batch * tokens * width * 4, tokens};
      break;
    case AttentionOp::mla_decode:
      work = {2.0 * batch * tokens * config.heads * (2 * kMlaRank + kMlaRope),
              batch * (tokens + 64) * (kMlaRank + kMlaRope) * bytes,
              batch * config.heads * kMlaRank * 4.0, batch};
      break;
    case AttentionOp::mla_prefill:
      work = {2 * batch * causal_pairs(tokens, 0) * config.heads *
                  (kMlaNope + kMlaRope + kMlaValue),
              batch * tokens * config.heads * (kMlaNope + kMlaRope + kMlaValue) * 2,
              batch * tokens * config.heads * (kMlaNope + kMlaValue) * 2.0, tokens};
      break;
    case AttentionOp::mla_bmm:
      work = {2 * tokens * config.heads * kMlaNope * kMlaRank,
              config.heads * static_cast<double>(kMlaNope * kMlaRank) * bytes,
              tokens * config.heads * (kMlaNope + kMlaRank) * 2.0, tokens};
      break;
  }
  return work;
}

AttentionModel::AttentionModel(const AttentionSection& section, const HeadConfig& config,
                               const Device& device)
    : op_(section.op),
      config_(config),
      kv_cache_(section.key.dtype),
      fit_(section.roofline),
      peak_flops_(peak_flops(device, Dtype::bf16).value),
      peak_bandwidth_(device.memory_bandwidth.value) {
  const AttentionCurveData *nearest = nullptr, *fewer = nullptr, *more = nullptr;
  double least = HUGE_VAL;
  for (const AttentionCurveData& curve : section.curves) {
    const HeadConfig has = config_of(curve);
    const double apart = unlikeness(has, config);
    if (apart < least) nearest = &curve;
    least = std::min(least, apart);
    if (line_of(has) != line_of(config)) continue;
    if (has.heads < config.heads && (fewer == nullptr || fewer->heads < has.heads)) {
      fewer = &curve;
    }
    if (has.heads > config.heads && (more == nullptr || more->heads > has.heads)) more = &curve;
  }
  if (nearest == nullptr) return;
  exact_ = least == 0;
  if (exact_ || fewer == nullptr || more == nullptr) {
    add(*nearest, 1);
    return;
  }
  const double part = std::log(static_cast<double>(config.heads) / fewer->heads) /
                      std::log(static_cast<double>(more->heads) / fewer->heads);
  add(*fewer, 1 - part);
  add(*more, part);
}

void AttentionModel::add(const AttentionCurveData& curve, double part) {
  std::vector<double> ratios;
  for (const double batch : curve.batch) {
    for (const double tokens : curve.tokens) {
      ratios.push_back(
          std::log(curve.seconds[ratios.size()] / roofline(config_of(curve), batch, tokens)));
    }
  }
  const double one = 1;
  sources_.push_back({RatioGrid(curve.batch, curve.tokens, std::span<const double>(&one, 1),
                                std::move(ratios)),
                      part});
}

double AttentionModel::roofline(const HeadConfig& config, double batch, double tokens) const {
  return roofline_time(fit_, attention_work(op_, config, kv_cache_, batch, tokens), peak_flops_,
                       peak_bandwidth_);
}

double AttentionModel::predict(double batch, double tokens) const {
  double log_ratio = 0;
  for (const Source& source : sources_) {
    log_ratio += source.part * source.grid.at(batch, tokens, 1);
  }
  return roofline(config_, batch, tokens) * std::exp(log_ratio);
}

}  // namespace moesim
