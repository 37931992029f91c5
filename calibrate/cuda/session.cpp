#include "calibrate/cuda/session.h"

#include <algorithm>
#include <cmath>

#include "calibrate/cuda/replay.h"

namespace moesim_cuda {
namespace {

constexpr std::size_t kAlignment = 256;
constexpr std::size_t kSlack = 8192;
constexpr std::size_t kChunk = std::size_t{512} << 20;
constexpr int kPoison = 0xff;

std::size_t round_up(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

void* Arena::take(std::size_t bytes) {
  const std::size_t need = round_up(bytes + kSlack);
  for (Chunk& chunk : chunks_) {
    if (chunk.used + need > chunk.memory.bytes()) continue;
    void* taken = chunk.memory.data() + chunk.used;
    chunk.used += need;
    return taken;
  }
  chunks_.push_back({Buffer(std::max(need, kChunk)), need});
  const Buffer& memory = chunks_.back().memory;
  if (!filled_) {
    check(cudaMemsetAsync(memory.data(), kPoison, memory.bytes(), stream_), "clearing memory");
  } else {
    fill_random(memory.data(), memory.bytes() / size_of(format_), format_, chunks_.size(),
                stream_);
    check(cudaGetLastError(), "filling memory with random data");
  }
  return memory.data();
}

void Arena::rewind() {
  for (Chunk& chunk : chunks_) chunk.used = 0;
}

void Arena::poison() {
  for (const Chunk& chunk : chunks_) {
    check(cudaMemsetAsync(chunk.memory.data(), kPoison, chunk.memory.bytes(), stream_),
          "clearing memory");
  }
}

std::size_t Arena::held() const {
  std::size_t bytes = 0;
  for (const Chunk& chunk : chunks_) bytes += chunk.memory.bytes();
  return bytes;
}

Session::Session(int which) : ordinal(which) {
  check(cudaSetDevice(ordinal), "selecting the GPU");
  check(cudaGetDeviceProperties(&properties, ordinal), "asking for the GPU's properties");
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making a stream");
  check(cublasCreate(&blas), "starting cuBLAS");
  check(cublasSetStream(blas, stream), "giving cuBLAS a stream");
  check(cublasLtCreate(&lt), "starting cuBLASLt");
  workspace = Buffer(kWorkspace);
  check(cublasSetWorkspace(blas, workspace.data(), workspace.bytes()),
        "giving cuBLAS its workspace");
  scratch_ = std::make_unique<Arena>(Format::int8, false, stream);
  char bus[32] = {};
  check(cudaDeviceGetPCIBusId(bus, sizeof(bus), ordinal), "asking for the GPU's bus");
  nvml = Nvml::open(bus);
}

Session::~Session() {
  cudaDeviceSynchronize();
  communicators.reset();
  if (lt != nullptr) cublasLtDestroy(lt);
  if (blas != nullptr) cublasDestroy(blas);
  if (stream != nullptr) cudaStreamDestroy(stream);
}

void* Session::random(Format format, std::size_t bytes) {
  auto [it, made] = random_.try_emplace(format, format, true, stream);
  return it->second.take(bytes);
}

void* Session::scratch(std::size_t bytes) { return scratch_->take(bytes); }

void Session::begin() {
  check(cudaStreamSynchronize(stream), "finishing the operation before");
  std::size_t held = scratch_->held();
  for (auto& [format, arena] : random_) {
    arena.rewind();
    held += arena.held();
  }
  scratch_->rewind();
  // Large operations leave large chunks behind: start afresh before memory runs out.
  if (held >= properties.totalGlobalMem / 2) free_all();
}

void Session::free_all() {
  for (auto& [format, arena] : random_) arena.free_all();
  scratch_->free_all();
}

int Session::rotation(std::size_t bytes) const {
  const double wanted = 2.2 * properties.l2CacheSize / static_cast<double>(bytes + 1);
  return std::clamp(static_cast<int>(std::ceil(wanted)), 1, kMostRuns);
}

}  // namespace moesim_cuda
