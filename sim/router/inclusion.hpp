// How often a token's top-k contains each expert, when scores are log rate + Gumbel noise.
#pragma once

#include <span>

namespace moesim {

// The level tau at which sum_e (1 - exp(-rate_e tau)) = k; rates >= 0, at least k of them
// positive, else tau is as large as it takes for all positive ones to be certain.
double solve_tau(std::span<const double> rates, int k);

// pi_e = 1 - exp(-rate_e tau): the chance that expert e is among the k that win a race of
// exponentials with these rates (Plackett-Luce), with the k-th arrival replaced by tau.
// Sums to k. Source: Hajek 1964's rejective sampling, in the Poisson limit.
void inclusion(std::span<const double> rates, int k, std::span<double> pi);

// The inverse in closed form: a rate that gives pi at tau = 1.
double rate_of(double pi);

}  // namespace moesim
