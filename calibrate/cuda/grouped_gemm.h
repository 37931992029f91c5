// The unequal GEMMs of one layer's experts, y_e[rows_e, n] = alpha x_e[rows_e, k] w_e[n, k]^T,
// through one of the ways there are to run them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "calibrate/cuda/routing.h"
#include "calibrate/cuda/session.h"

namespace moesim_cuda {

struct GroupedShape {
  int dtype = 0;
  std::int64_t n = 0, k = 0;
  std::int64_t experts = 0;
  std::vector<std::vector<Group>> copies;  // of the active experts, per rotation of weights
  const char* w = nullptr;                 // experts x n x k
  const char* x = nullptr;
  char* y = nullptr;               // bf16
  const float* w_scale = nullptr;  // fp8: one for all
  const float* x_scale = nullptr;
  double alpha = 1;
};

class GroupedGemm {
 public:
  virtual ~GroupedGemm() = default;
  virtual void run(cudaStream_t stream, int copy) = 0;
};

// `backend` as in module_abi.h. Throws Refusal.
std::unique_ptr<GroupedGemm> make_grouped_gemm(Session& session, int backend,
                                               GroupedShape shape);

// Of a group: where its operands begin.
struct GroupOperands {
  const void* w;
  const void* x;
  void* y;
};
GroupOperands operands_of(const GroupedShape& shape, const Group& group);

std::unique_ptr<GroupedGemm> make_lt_grouped(Session& session, GroupedShape shape);

}  // namespace moesim_cuda
