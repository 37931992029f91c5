// How popular each expert of each layer is, for each class of tokens and each domain.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sim/router/fit.hpp"
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
  // As a trace was fitted; only domains are drawn.
  Popularity(const FittedRouter& fit, const RouterShape& shape, std::uint64_t seed,
             const std::vector<std::string>& domains, double domain_sigma,
             double balance_pressure);

  [[nodiscard]] const RouterShape& shape() const { return shape_; }
  [[nodiscard]] int domains() const { return static_cast<int>(domain_.size()); }
  [[nodiscard]] int classes() const { return static_cast<int>(class_share_.size()); }
  [[nodiscard]] double class_share(int token_class) const {
    return class_share_[static_cast<std::size_t>(token_class)];
  }

  // pi of a domain's tokens, averaged over the classes: layers x experts.
  [[nodiscard]] std::span<const double> inclusion_of(int domain) const;
  // The rates of one (layer, class, domain): one per expert.
  void rates(int layer, int token_class, int domain, std::span<double> out) const;

 private:
  using Thresholds = std::vector<GroupThresholds>;  // per class
  // Moves the layer terms until the marginals over all classes are the wanted loads.
  void match_loads(const std::vector<double>& load);
  // The same for each class by itself, to the fitted inclusions, flattened to the power `kept`.
  void match_classes(const FittedRouter& fit, double kept);
  // Draws the domains' tastes and works out their marginals.
  void set_domains(const std::vector<std::string>& names, double sigma);
  Thresholds thresholds_of(int layer, int domain) const;
  void class_inclusion(std::span<const double> rate, const Thresholds& thresholds,
                       int token_class, std::span<double> pi) const;
  void average_inclusion(int layer, int domain, const Thresholds& thresholds,
                         std::span<double> out) const;

  RouterShape shape_;
  std::uint64_t seed_;
  std::vector<double> class_share_;
  std::vector<double> base_;                   // rate: layers x experts
  std::vector<float> class_;                   // factor: layers x classes x experts
  std::vector<std::vector<double>> domain_;    // factor, per domain: layers x experts
  std::vector<std::vector<double>> marginal_;  // per domain: layers x experts
};

// [layers] Share of the tokens' choices that differ: the total variation between the two
// inclusions of each (class, domain), averaged over both. Groups, which limit both alike, are
// left out. The two have the same shape, classes and domains.
std::vector<double> moved_mass(const Popularity& from, const Popularity& to);

}  // namespace moesim
