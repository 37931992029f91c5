#include "calibrate/cost_model.hpp"

#include <algorithm>
#include <cmath>

#include "calibrate/devices.hpp"
#include "calibrate/log_grid.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/roofline.hpp"
#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/base/spelling.hpp"

namespace moesim {

namespace {

// Powers of two and the points half way between: 1, 1.41, 2, 2.83, ... up to `last`.
std::vector<double> half_octaves(double first, double last) {
  std::vector<double> values;
  for (int i = 0;; ++i) {
    values.push_back(first * std::exp2(0.5 * i));
    if (values.back() >= last) return values;
  }
}

template <class F>
std::shared_ptr<const LogGrid> tabulate(const std::vector<double>& x,
                                        const std::vector<double>& y, F&& f) {
  std::vector<double> values;
  for (const double a : x) {
    for (const double b : y) values.push_back(f(a, b));
  }
  return std::make_shared<LogGrid>(LogAxis(x), LogAxis(y), values);
}

Device device_of(const Profile& profile) {
  const auto device = find_device(profile.gpu);
  MOESIM_LAW(device.has_value(), "a profile's GPU is known");
  return *device;
}

}  // namespace

ExpertCurve::ExpertCurve(std::shared_ptr<const LogGrid> grid,
                         std::shared_ptr<const LogGrid> skew, double experts,
                         CurveOrigin origin)
    : grid_(std::move(grid)),
      skew_(std::move(skew)),
      experts_(experts),
      origin_(std::move(origin)) {}

Seconds ExpertCurve::time(const ExpertLoad& load) const {
  if (load.assignments <= 0) return Seconds{0};
  const double active = std::clamp(load.active, std::min(1.0, load.assignments), experts_);
  double time = grid_->at(load.assignments, active);
  if (skew_ && load.most_loaded > 0) {
    const double mean = load.assignments / active;
    time *= skew_->at(mean, std::max(1.0, load.most_loaded / mean));
  }
  return Seconds{time};
}

Estimate ExpertCurve::estimate(const ExpertLoad& load) const {
  return {time(load), origin_.provenance, origin_.error};
}

GemmCurve::GemmCurve(std::shared_ptr<const LogGrid> grid, CurveOrigin origin)
    : grid_(std::move(grid)), origin_(std::move(origin)) {}

Seconds GemmCurve::time(double m) const { return m <= 0 ? Seconds{0} : Seconds{grid_->at(m)}; }

Estimate GemmCurve::estimate(double m) const {
  return {time(m), origin_.provenance, origin_.error};
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
  const double seen = window_ > 0 ? std::min(mean_kv, window_) : mean_kv;
  return Seconds{decode_->at(batch, std::max(1.0, seen))};
}

Seconds AttentionCurve::prefill(double tokens, double context) const {
  if (tokens <= 0) return Seconds{0};
  const double before = window_ > 0 ? std::min(context, window_) : context;
  return Seconds{prefill_->at(tokens, (tokens + before) / tokens)};
}

CostModel::CostModel(std::shared_ptr<const Profile> profile) : profile_(std::move(profile)) {}

ExpertCurve CostModel::experts(const ExpertShape& shape) const {
  const Device device = device_of(*profile_);
  const DtypeInfo type = info(shape.dtype);
  const auto grid =
      tabulate(half_octaves(1, 1 << 20), half_octaves(1, std::max(2, shape.experts)),
               [&](double assignments, double active) {
                 const RooflineWork work = expert_work(
                     assignments, std::min(active, assignments), shape.hidden,
                     shape.intermediate, type.weight_bytes, type.activation_bytes, shape.gated);
                 return roofline_time({}, work, peak_flops(device, shape.dtype).value,
                                      device.memory_bandwidth.value);
               });
  return {grid, nullptr, static_cast<double>(shape.experts), {Provenance::assumed, 0.3, ""}};
}

GemmCurve CostModel::gemm(double n, double k, Dtype dtype) const {
  const Device device = device_of(*profile_);
  const DtypeInfo type = info(dtype);
  const auto grid = tabulate(half_octaves(1, 1 << 17), {1.0}, [&](double m, double) {
    return roofline_time({3e-6, 0.7, 0.8, 16, 3, 0.7},
                         gemm_work(m, n, k, type.weight_bytes, type.activation_bytes),
                         peak_flops(device, dtype).value, device.memory_bandwidth.value);
  });
  return {grid, {Provenance::assumed, 0.3, ""}};
}

AttentionCurve CostModel::attention(const AttentionConfig& config) const {
  const Device device = device_of(*profile_);
  const bool mla = config.kind == AttentionConfig::Kind::mla;
  const double kv_width =
      mla ? config.kv_lora_rank + config.rope_dim : 2.0 * config.kv_heads * config.head_dim;
  const double kv_bytes = kv_width * info(config.kv_cache).weight_bytes;
  const double score_flops =
      mla ? 2.0 * config.heads * (2.0 * config.kv_lora_rank + config.rope_dim)
          : 4.0 * config.heads * config.head_dim;
  const double prefill_flops =
      mla ? 2.0 * config.heads * (config.nope_dim + config.rope_dim + config.v_dim)
          : score_flops;
  const double peak = peak_flops(device, Dtype::bf16).value;
  const double bandwidth = device.memory_bandwidth.value;
  const auto decode =
      tabulate(half_octaves(1, 4096), half_octaves(1, 1 << 20), [&](double batch, double kv) {
        return roofline_time({6e-6, 0.4, 0.75, 0, 3, 1},
                             {batch * kv * score_flops, batch * kv * kv_bytes, 0, 1}, peak,
                             bandwidth);
      });
  const auto prefill = tabulate(
      half_octaves(1, 1 << 20), half_octaves(1, 1 << 14), [&](double tokens, double stretch) {
        const double all = tokens * stretch;
        const double seen = all - tokens / 2;
        return roofline_time({6e-6, 0.5, 0.75, 0, 3, 1},
                             {tokens * seen * prefill_flops, all * kv_bytes, 0, 1}, peak,
                             bandwidth);
      });
  return {decode, prefill, static_cast<double>(config.window), {Provenance::assumed, 0.3, ""}};
}

Seconds CostModel::memory_bound(Bytes moved) const {
  return Seconds{2e-6} + moved / (device_of(*profile_).memory_bandwidth * 0.75);
}

Seconds CostModel::router(double tokens, int hidden, int experts) const {
  return memory_bound(Bytes{tokens * (2.0 * hidden + 8.0 * experts) + 2.0 * hidden * experts});
}

Seconds CostModel::norm(double tokens, int hidden) const {
  return memory_bound(Bytes{tokens * hidden * 8.0});
}

Seconds CostModel::permute(double rows, double row_bytes) const {
  return memory_bound(Bytes{2 * rows * row_bytes});
}

Seconds CostModel::embedding(double tokens, int hidden) const {
  return memory_bound(Bytes{tokens * hidden * 4.0});
}

Seconds CostModel::sampling(double sequences, int vocab) const {
  return Seconds{1e-5} + memory_bound(Bytes{sequences * vocab * 12.0});
}

Estimate CostModel::step_overhead(double sequences) const {
  return {Seconds{1e-3 + 5e-6 * sequences}, Provenance::assumed, 0.5};
}

std::vector<std::string> shipped_profiles() {
  std::vector<std::string> names;
  for (const char* gpu : {"a100-sxm", "b200-sxm", "gb200", "h100-sxm", "h200-sxm", "l40s"}) {
    for (const char* engine : {"sglang", "trtllm", "vllm"}) {
      names.push_back(std::string(gpu) + "/" + engine);
    }
  }
  return names;
}

std::shared_ptr<const Profile> load_profile(const std::string& name_or_path) {
  const auto slash = name_or_path.find('/');
  const auto profile = std::make_shared<Profile>();
  profile->gpu = name_or_path.substr(0, slash);
  if (slash != std::string::npos) profile->engine = name_or_path.substr(slash + 1);
  if (!find_device(profile->gpu)) {
    throw InputError("unknown profile '" + name_or_path + "'", "a GPU and engine",
                     did_you_mean(name_or_path, shipped_profiles()));
  }
  return profile;
}

}  // namespace moesim
