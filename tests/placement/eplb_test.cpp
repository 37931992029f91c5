#include <catch2/catch.hpp>

#include <cstdint>

#include "sim/placement/bounds.hpp"
#include "sim/placement/strategy.hpp"

using namespace moesim;

TEST_CASE("the published example of EPLB is reproduced slot by slot") {
  PlacementProblem p{
      .layers = 2, .experts = 12, .slots = 16, .groups = 4, .nodes = 2, .gpus = 8};
  p.weights = {90, 132, 40,  61, 104, 165, 39,  4,   73,  56, 183, 86,
               20, 107, 104, 64, 19,  197, 187, 157, 172, 86, 16,  27};
  CHECK(place(p, {.strategy = "eplb"}).physical_to_logical ==
        std::vector{5, 6,  5, 7, 8, 4,  3, 4, 10, 9, 10, 2, 0, 1, 11, 1,
                    7, 10, 6, 8, 6, 11, 8, 9, 2,  4, 5,  1, 5, 0, 3,  1});
}

namespace {

// Weights that any language can make again: a 64-bit linear congruential generator (Knuth's
// MMIX), the top 53 bits u of each state, 1 + 1000 u^3.
std::vector<double> weights_of(std::uint64_t seed, int count) {
  std::vector<double> weights;
  std::uint64_t state = seed;
  for (int i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const double u = static_cast<double>(state >> 11) * 0x1p-53;
    weights.push_back(1 + 1000 * (u * u * u));
  }
  return weights;
}

// FNV-1a over whole numbers.
std::uint64_t fingerprint(const std::vector<int>& values) {
  std::uint64_t hash = 14695981039346656037u;
  for (const int v : values) hash = (hash ^ static_cast<std::uint64_t>(v)) * 1099511628211u;
  return hash;
}

struct Vector {
  struct Shape {
    int layers, experts, slots, groups, nodes, gpus;
  } shape;
  std::uint64_t eplb;    // fingerprints of the maps that a line-by-line port of the published
  std::uint64_t global;  // Python gives, in double precision with stable sorts
};

}  // namespace

TEST_CASE("many shapes give the same slots as a port of the published program") {
  const std::vector<Vector> vectors = {
      {{58, 256, 288, 8, 4, 32}, 0x1740241d2171cddeu, 0x70839ad2ac38ef96u},
      {{58, 256, 288, 8, 18, 144}, 0xa863b2eb76c97e7au, 0xa863b2eb76c97e7au},
      {{58, 256, 320, 8, 40, 320}, 0x21647421c40c946cu, 0x21647421c40c946cu},
      {{58, 256, 320, 8, 8, 64}, 0x06ca3da9c576b3b4u, 0x551657424674619fu},
      {{58, 256, 256, 8, 8, 64}, 0xce1165f4eeb155e7u, 0x8def202b7dd756efu},
      {{4, 64, 72, 8, 1, 8}, 0xc35994b37f067fd8u, 0xc35994b37f067fd8u},
      {{3, 12, 16, 4, 2, 8}, 0xf7837b2ec796cc9cu, 0xfbde2d6cd7a3deb2u},
      {{5, 128, 144, 1, 2, 16}, 0x19e465aa96671189u, 0x19e465aa96671189u},
      {{7, 16, 32, 4, 4, 16}, 0x97f93869b696ba24u, 0xa9a4e3e2c415cbb7u},
      {{2, 60, 64, 3, 4, 16}, 0xe6f7ac6b14860365u, 0xe6f7ac6b14860365u},
      {{1, 8, 8, 1, 1, 1}, 0x522654c6c796068bu, 0x522654c6c796068bu},
      {{3, 160, 192, 8, 4, 32}, 0x5ae730331a28c109u, 0x78a67112a3d6f52bu},
      {{6, 384, 416, 1, 4, 32}, 0x8f0a2a747686deacu, 0x8f0a2a747686deacu},
      {{2, 8, 64, 1, 1, 64}, 0x42bda142480995dfu, 0x42bda142480995dfu}};
  std::uint64_t seed = 0;
  for (const auto& [s, eplb, global] : vectors) {
    PlacementProblem p{s.layers, s.experts, s.slots, s.groups, s.nodes, s.gpus};
    p.weights = weights_of(++seed, s.layers * s.experts);
    INFO(s.layers << " x " << s.experts << " to " << s.slots << " on " << s.gpus);
    CHECK(fingerprint(place(p, {.strategy = "eplb"}).physical_to_logical) == eplb);
    CHECK(fingerprint(place(p, {.strategy = "eplb_global"}).physical_to_logical) == global);
  }
}

TEST_CASE("without same-GPU duplicates no replica is wasted where that can be helped") {
  PlacementProblem p{1, 8, 16, 1, 1, 8};
  p.weights = {100, 90, 1, 1, 1, 1, 1, 1};
  const Placement plain = place(p, {.strategy = "eplb"});
  const Placement apart = place(p, {.strategy = "eplb", .no_same_gpu_duplicates = true});
  CHECK(same_gpu_duplicates(plain) > 0);
  CHECK(same_gpu_duplicates(apart) == 0);
}
