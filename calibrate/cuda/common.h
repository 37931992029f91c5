// Errors and memory of the module. A Refusal is an operation that cannot be measured here; any
// other exception is a failure of the device.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
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
  const std::string text = std::string(what) + ": " + cublasGetStatusString(status);
  // The library's own refusal of this shape, format or GPU: no fault.
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_ARCH_MISMATCH) {
    throw Refusal(text);
  }
  throw Failure(text);
}

// What CUDA's libraries make and the module owns: destroyed with its last owner, also where a
// constructor throws halfway.
template <auto destroy>
struct Destroy {
  template <class T>
  void operator()(T* made) const {
    destroy(made);
  }
};
template <class Handle, auto destroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy<destroy>>;

using Event = Owned<cudaEvent_t, cudaEventDestroy>;
using Stream = Owned<cudaStream_t, cudaStreamDestroy>;

inline Event make_event(unsigned flags = cudaEventDefault) {
  cudaEvent_t made = nullptr;
  check(cudaEventCreateWithFlags(&made, flags), "making an event");
  return Event(made);
}
inline Stream make_stream() {
  cudaStream_t made = nullptr;
  check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "making a stream");
  return Stream(made);
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
