// Exact top-k routing of single tokens.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/base/rng.hpp"
#include "sim/router/shape.hpp"

namespace moesim {

// Chooses the top_k of log rate_e + Gumbel noise, inside the best groups where the shape
// limits groups. That is: exponential clocks with these rates ring, and the first top_k win
// (Plackett-Luce; Yellott 1977). So experts are drawn one after the other without
// replacement, and only as many as needed; exact, about 20 ns per draw whatever the number
// of experts.
class TokenSampler {
 public:
  // One rate per expert, at least top_k of them positive.
  TokenSampler(const RouterShape& shape, std::span<const double> rates);

  // Writes top_k different experts, best first.
  void draw(Stream& stream, std::span<int> chosen);

  // The token just drawn again with the opposite luck in each group's first two rings
  // (antithetic variates): two such tokens' thresholds average better than two free ones.
  void draw_mirrored(Stream& stream, std::span<int> chosen);

  // For the token just drawn and each group: before what time one more expert of that group
  // would have had to ring to be chosen. Only where the shape limits groups.
  void thresholds(std::span<double> latest) const;

  // The same for those experts whose own ring moved a threshold, had they not been there.
  struct WithoutItself {
    int expert = 0;
    double latest = 0;
  };
  void thresholds_without(std::span<const int> chosen, std::vector<WithoutItself>& out) const;

 private:
  // A group's experts in the order of their rings, drawn as far as asked for.
  struct Race {
    int first = 0;        // first expert
    double total = 0;     // rate of all its experts
    double left = 0;      // rate of those that have not rung
    double time[2] = {};  // the next ring not yet used, and the one after
    int expert[2] = {};
    int rings = 0;         // drawn so far
    double luck[2] = {};   // uniform, of the first two
    double early[3] = {};  // the first three rings, and who rang first and second
    int early_expert[3] = {};
    double score = 0;  // the smaller the better, as Gumbel scores are -log(time)
  };

  [[nodiscard]] bool adds_two() const {
    return shape_.group_score == GroupScore::two_best && size_ > 1;
  }
  void build_alias(Race& race);
  int pick(Race& race, Stream& stream);
  void ring(Race& race, int slot, double after, Stream& stream);
  void draw_grouped(Stream& stream, std::span<int> chosen);

  RouterShape shape_;
  int size_;  // experts per race
  std::vector<double> rates_;
  std::vector<Race> races_;
  std::vector<int> ranked_;          // races by score
  std::vector<std::uint32_t> keep_;  // alias method (Walker 1977, Vose 1991)
  std::vector<std::int32_t> other_;
  std::vector<std::uint32_t> rung_;  // the token that last took this expert
  std::uint32_t token_ = 0;
  bool mirrored_ = false;
  // Of the token just drawn: when its k-th expert rang, and when the next one would have; the
  // worst score of a group that was kept, and the best of one that was not.
  double last_time_ = 0;
  double next_time_ = 0;
  double worst_kept_ = 0;
  double best_left_out_ = 0;
};

}  // namespace moesim
