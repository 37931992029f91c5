// Errors and memory of the module. A Refusal is an operation that cannot be measured here; any
// other exception is a failure of the device.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

namespace moesim_cuda {

class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
class Refusal : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
class OutOfMemory : public Refusal {
 public:
  using Refusal::Refusal;
};

inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw Failure(std::string(what) + ": " + cudaGetErrorString(status));
}
inline void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Failure(std::string(what) + ": " + cublasGetStatusString(status));
}

// Device memory that frees itself.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t bytes) : bytes_(bytes) {
    const cudaError_t status = cudaMalloc(&data_, bytes);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // not a fault: the GPU is too small for this operation
      data_ = nullptr;
      throw OutOfMemory("not enough device memory for " + std::to_string(bytes) + " bytes");
    }
    check(status, "allocating device memory");
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { cudaFree(data_); }

  [[nodiscard]] char* data() const { return static_cast<char*>(data_); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void swap(Buffer& other) {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace moesim_cuda
