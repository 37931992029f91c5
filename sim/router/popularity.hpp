// How popular each expert of each layer is, for each class of tokens and each domain.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sim/router/grouped_inclusion.hpp"
#include "sim/router/presets.hpp"
#include "sim/router/shape.hpp"

namespace moesim {

// The static terms of theta = layer + class + domain, as rates exp(theta), and the marginals
// they lead to. Layers x experts values are stored layer by layer.
class Popularity {
 public:
  Popularity(const RouterPreset& preset, const RouterShape& shape, std::uint64_t seed,
             const std::vector<std::string>& domains, double balance_pressure);

  [[nodiscard]] const RouterShape& shape() const { return shape_; }
  [[nodiscard]] int domains() const { return static_cast<int>(domain_.size()); }
  [[nodiscard]] int classes() const { return classes_; }

  // pi of a domain's tokens, averaged over the classes: layers x experts.
  [[nodiscard]] std::span<const double> inclusion_of(int domain) const;
  // The rates of one (layer, class, domain): one per expert.
  void rates(int layer, int token_class, int domain, std::span<double> out) const;

 private:
  void draw_base(const RouterPreset& preset, std::uint64_t seed);
  // Moves the layer terms until the marginals over all classes are the wanted loads.
  void match_loads();
  using Thresholds = std::vector<GroupThresholds>;  // per class
  Thresholds thresholds_of(int layer, int domain) const;
  void average_inclusion(int layer, int domain, const Thresholds& thresholds,
                         std::span<double> out) const;

  RouterShape shape_;
  std::uint64_t seed_;
  int classes_;
  std::vector<double> load_;                   // wanted pi: layers x experts
  std::vector<double> base_;                   // rate: layers x experts
  std::vector<float> class_;                   // factor: layers x classes x experts
  std::vector<std::vector<double>> domain_;    // factor, per domain: layers x experts
  std::vector<std::vector<double>> marginal_;  // per domain: layers x experts
};

}  // namespace moesim
