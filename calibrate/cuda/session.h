// One GPU: its stream, libraries and memory. What every operation shares.
#pragma once

#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "calibrate/cuda/common.h"
#include "calibrate/cuda/kernels.h"
#include "calibrate/cuda/nvml.h"

namespace moesim_cuda {

// Memory that operations borrow one after the other: allocated and filled once, so that
// setting up an operation costs microseconds. What is taken stays in place until rewind().
class Arena {
 public:
  // `filled`: with random data of this format; else contents do not matter.
  Arena(Format format, bool filled, cudaStream_t stream)
      : format_(format), filled_(filled), stream_(stream) {}

  // 256-byte aligned, and readable for 8 KiB past its end.
  void* take(std::size_t bytes);
  void rewind();
  // Overwrites all of it with bytes that are no result of anything: NaN in every float format.
  void poison();
  void free_all() { chunks_.clear(); }
  [[nodiscard]] std::size_t held() const;

 private:
  struct Chunk {
    Buffer memory;
    std::size_t used = 0;
  };
  Format format_;
  bool filled_;
  cudaStream_t stream_;
  std::vector<Chunk> chunks_;
};

struct Communicators;  // of NCCL; see all_to_all_work.cpp

class Session {
 public:
  explicit Session(int ordinal);
  ~Session();
  Session(const Session&) = delete;

  // Random data that operations read: valid until the next begin().
  void* random(Format format, std::size_t bytes);
  // Room for results.
  void* scratch(std::size_t bytes);
  // A copy of host data on the device.
  template <class T>
  const T* upload(const std::vector<T>& host) {
    void* to = scratch(host.size() * sizeof(T));
    check(cudaMemcpyAsync(to, host.data(), host.size() * sizeof(T), cudaMemcpyHostToDevice,
                          stream),
          "copying to the device");
    check(cudaStreamSynchronize(stream), "copying to the device");
    return static_cast<const T*>(to);
  }
  template <class T>
  std::vector<T> download(const void* from, std::size_t count) {
    std::vector<T> host(count);
    check(cudaStreamSynchronize(stream), "before copying from the device");
    check(cudaMemcpy(host.data(), from, count * sizeof(T), cudaMemcpyDeviceToHost),
          "copying from the device");
    return host;
  }
  // Takes back everything that was handed out.
  void begin();
  // Gives it back to the GPU.
  void free_all();
  // What is handed out for results holds none until it is written: an operation that writes
  // nothing must not pass its check by what the one before left there.
  void poison() { scratch_->poison(); }
  // How many copies of `bytes` reach past twice the L2 cache, so that none is found there.
  [[nodiscard]] int rotation(std::size_t bytes) const;

  int ordinal;
  cudaDeviceProp properties{};
  cudaStream_t stream = nullptr;
  cublasHandle_t blas = nullptr;
  cublasLtHandle_t lt = nullptr;
  Buffer workspace;
  std::unique_ptr<Nvml> nvml;                    // null where absent
  std::shared_ptr<Communicators> communicators;  // made once: that takes a second or more

 private:
  std::map<Format, Arena> random_;
  std::unique_ptr<Arena> scratch_;
};

// 32 MiB, what cuBLAS asks for on Hopper, for each of eight streams.
constexpr std::size_t kWorkspace = std::size_t{256} << 20;

}  // namespace moesim_cuda
