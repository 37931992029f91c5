// How often a token's top-k contains each expert, when scores are log rate + Gumbel noise.
#pragma once

#include <span>

namespace moesim {

// The level tau at which sum_e (1 - exp(-rate_e tau)) = k; rates >= 0, at least k of them
// positive, else tau is as large as it takes for all positive ones to be certain.
double solve_tau(std::span<const double> rates, int k);

// pi_e = 1 - exp(-rate_e tau): the chance that e is among the k first of exponential clocks
// with these rates (Plackett-Luce), with the k-th ring put at a fixed time. Sums to k. Source:
// the Poisson limit of Hajek's rejective sampling (1964). Off by 1-2 % for a hot expert.
void level_inclusion(std::span<const double> rates, int k, std::span<double> pi);

// The same to about .1 % (.6 % for 8 experts): the k-th ring is Gamma(mean, shape) with the
// variance of the number of rings, and comes later for an expert that does not count itself:
//   pi_e = 1 - (1 + x_e / s)^-s,  x_e = rate_e tau (1 + pi_e / D),  s = D^2 / V,
// D = sum rate tau exp(-rate tau), V = sum pi (1 - pi). Own derivation; the tests compare it
// with the exact integral. Sums to k.
void inclusion(std::span<const double> rates, int k, std::span<double> pi);

// Exactly: pi_e = integral of rate_e exp(-rate_e t) P(fewer than k of the others rang before
// t) dt. About 100 experts^2 k operations: for a few experts.
void exact_inclusion(std::span<const double> rates, int k, std::span<double> pi);

// The inverse of level_inclusion in closed form: the rate that gives pi at tau = 1.
double rate_of(double pi);

}  // namespace moesim
