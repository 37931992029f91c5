// NCCL loaded at run time: the few calls that an all-to-all of sends and receives needs.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <memory>
#include <string>

namespace moesim_cuda {

using NcclComm = void*;

struct Nccl {
  // Null where libnccl.so.2 is not found. Stays loaded until the program ends: it holds a CUDA
  // runtime of its own, and does not unload safely.
  static std::unique_ptr<Nccl> open();

  std::string version() const;  // "2.27.7"
  // Throws Failure that names `what`.
  void check(int status, const char* what) const;

  int (*comm_init_all)(NcclComm* comms, int count, const int* devices) = nullptr;
  int (*comm_destroy)(NcclComm comm) = nullptr;
  int (*comm_abort)(NcclComm comm) = nullptr;  // ends what runs, then as comm_destroy
  int (*group_start)() = nullptr;
  int (*group_end)() = nullptr;
  int (*send)(const void* data, std::size_t count, int type, int peer, NcclComm comm,
              cudaStream_t stream) = nullptr;
  int (*receive)(void* data, std::size_t count, int type, int peer, NcclComm comm,
                 cudaStream_t stream) = nullptr;
  static constexpr int kBytes = 1;  // ncclUint8

 private:
  Nccl() = default;
  int (*get_version_)(int*) = nullptr;
  const char* (*error_string_)(int) = nullptr;
};

}  // namespace moesim_cuda
