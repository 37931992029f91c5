// How little traffic between nodes any placement could have: a bound from eigenvalues.
#pragma once

#include <span>
#include <vector>

#include "sim/placement/problem.hpp"

namespace moesim {

// The `count` largest eigenvalues of a symmetric matrix [n * n], highest first, each from above
// (to 1e-12 of the largest). Householder's tridiagonal form, then bisection on Sturm counts.
std::vector<double> largest_eigenvalues(std::vector<double> matrix, int n, int count);

// Lower bound on the mean number of nodes that a token's experts lie on. Valid where every
// expert is on one node only and a node has at most `experts_per_node` of them; replicas on
// several nodes can do better.
//
// With v_t the 0/1 vector of a token's k experts, x_n that of node n's, c_tn = v_t' x_n:
//   nodes(t) >= k^2 / sum_n c_tn^2                           (Cauchy-Schwarz)
//   mean nodes >= k^2 / sum_n x_n' A x_n, A = mean v_t v_t'  (Jensen)
//   sum_n x_n' A x_n <= experts_per_node x sum of the `nodes` largest eigenvalues of A
// since the x_n / |x_n| are orthonormal (Ky Fan, 1949). Never below max(1, k /
// experts_per_node). 1 for a sample without tokens.
double nodes_per_token_bound(const TokenView& sample, int experts, int nodes,
                             int experts_per_node);

}  // namespace moesim
