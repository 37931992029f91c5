// The module's C interface: exceptions end here and become texts.
#include <cstdio>
#include <cstring>

#include "calibrate/cuda/nccl.h"
#include "calibrate/cuda/timer.h"
#include "calibrate/cuda/work.h"
#include "calibrate/measure/module_abi.h"

namespace moesim_cuda {

std::unique_ptr<Work> make_work(Session& session, const moesim_op& op) {
  switch (op.kind) {
    case MOESIM_GEMM:
      return make_gemm(session, op);
    case MOESIM_EXPERTS:
      return make_experts(session, op);
    case MOESIM_DECODE_ATTENTION:
      return make_attention(session, op);
    case MOESIM_GRAPH_NODE:
    case MOESIM_STREAM_LAUNCH:
      return make_launch(session, op);
    case MOESIM_ALL_TO_ALL:
      return make_all_to_all(session, op);
    default:
      return make_memory_kernel(session, op);
  }
}

namespace {

struct Device {
  explicit Device(int ordinal) : session(ordinal) {}
  Session session;
  std::unique_ptr<Work> work;
  std::unique_ptr<Timer> timer;  // null where the work times itself

  void drop() {
    timer.reset();
    work.reset();
    cudaGetLastError();  // whatever it was, it was the operation's before
    session.begin();
  }
};

template <std::size_t N>
void put(char (&to)[N], const std::string& text) {
  std::snprintf(to, N, "%s", text.c_str());
}

// Whether the GPU still takes work: a fault on it, unlike a call gone wrong, stays until the
// process ends.
bool answers() {
  cudaGetLastError();  // what was reported once must not be blamed on the next operation
  return cudaDeviceSynchronize() == cudaSuccess;
}

// Runs `body`; a refusal or failure becomes a return code and a text.
template <class Body>
int guarded(char* why, std::size_t why_size, Body body) {
  const auto say = [&](const std::string& text) {
    if (why != nullptr && why_size > 0) std::snprintf(why, why_size, "%s", text.c_str());
  };
  try {
    body();
    return MOESIM_OK;
  } catch (const Refusal& e) {
    say(e.what());
    return MOESIM_REFUSED;
  } catch (const std::exception& e) {
    say(e.what());
    return answers() ? MOESIM_FAILED : MOESIM_LOST;
  }
}

std::string dotted(int code) {  // 13010 -> 13.1 (CUDA's and cuBLAS's own forms differ)
  return std::to_string(code / 1000) + "." + std::to_string(code % 1000 / 10);
}

std::string blas_version(cublasHandle_t handle) {
  int code = 0;
  cublasGetVersion(handle, &code);
  return std::to_string(code / 10000) + "." + std::to_string(code / 100 % 100) + "." +
         std::to_string(code % 100);
}

// Dense bf16 multiplications and additions of one multiprocessor per cycle.
double flops_per_cycle(int capability) {
  if (capability >= 100) return 8192;
  if (capability >= 90) return 4096;
  return capability == 80 ? 2048 : 1024;
}

int open_device(std::int32_t ordinal, void** device, char* why, std::size_t why_size) {
  return guarded(why, why_size, [&] {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status == cudaErrorInsufficientDriver) {
      throw Refusal("no NVIDIA driver is loaded, or it is older than CUDA " +
                    dotted(CUDART_VERSION) + " needs");
    }
    if (status != cudaSuccess) {
      throw Refusal(std::string("CUDA finds no GPU: ") + cudaGetErrorString(status));
    }
    if (ordinal < 0 || ordinal >= count) {
      throw Refusal("there is no GPU " + std::to_string(ordinal) + ", only " +
                    std::to_string(count));
    }
    *device = new Device(ordinal);
  });
}

void close_device(void* device) { delete static_cast<Device*>(device); }

int device_facts(void* device, moesim_facts* facts, char* why, std::size_t why_size) {
  return guarded(why, why_size, [&] {
    Session& s = static_cast<Device*>(device)->session;
    // Virtual machines may hide clocks: the plan then goes by those of a GPU of today.
    const auto attribute = [&](cudaDeviceAttr which, double otherwise) {
      int value = 0;
      const auto status = cudaDeviceGetAttribute(&value, which, s.ordinal);
      if (status != cudaSuccess) cudaGetLastError();
      return status == cudaSuccess && value > 0 ? value : otherwise;
    };
    *facts = {};
    int driver = 0, runtime = 0;
    check(cudaDriverGetVersion(&driver), "asking for the driver's version");
    check(cudaRuntimeGetVersion(&runtime), "asking for the runtime's version");
    check(cudaGetDeviceCount(&facts->gpus), "counting GPUs");
    const auto nccl = Nccl::open();
    put(facts->name, s.properties.name);
    put(facts->library, "cublas-" + blas_version(s.blas));
    put(facts->versions, "driver " + (s.nvml ? s.nvml->driver_version() : "unknown") +
                             ", driver API " + dotted(driver) + ", CUDA " + dotted(runtime) +
                             ", cuBLAS " + blas_version(s.blas) + ", NCCL " +
                             (nccl ? nccl->version() : "absent"));
    facts->compute_capability = s.properties.major * 10 + s.properties.minor;
    facts->has_nvml = s.nvml != nullptr;
    facts->has_nccl = nccl != nullptr;
    facts->memory_bytes = static_cast<double>(s.properties.totalGlobalMem);
    facts->l2_bytes = s.properties.l2CacheSize;
    // Two transfers a clock; clocks in kHz, width in bits.
    facts->memory_bandwidth = 2e3 * attribute(cudaDevAttrMemoryClockRate, 2.6e6) *
                              attribute(cudaDevAttrGlobalMemoryBusWidth, 5120) / 8;
    facts->bf16_flops = 1e3 * attribute(cudaDevAttrClockRate, 1.5e6) *
                        s.properties.multiProcessorCount *
                        flops_per_cycle(facts->compute_capability);
  });
}

void make_ready(Device& d, const moesim_op& op) {
  d.drop();
  d.work = make_work(d.session, op);
  if (op.kind != MOESIM_ALL_TO_ALL) d.timer = std::make_unique<Timer>(d.session, *d.work);
}

int prepare(void* device, const moesim_op* op, char* kernel, char* why, std::size_t why_size) {
  auto& d = *static_cast<Device*>(device);
  const int code = guarded(why, why_size, [&] {
    try {
      make_ready(d, *op);
    } catch (const OutOfMemory&) {
      // What earlier operations left may be all that is in the way.
      d.drop();
      d.session.free_all();
      make_ready(d, *op);
    }
    std::snprintf(kernel, 64, "%s", d.work->kernel().c_str());
  });
  if (code != MOESIM_OK) guarded(nullptr, 0, [&] { d.drop(); });
  return code;
}

int sample(void* device, std::int32_t count, double* seconds, char* why, std::size_t why_size) {
  return guarded(why, why_size, [&] {
    auto& d = *static_cast<Device*>(device);
    if (d.work == nullptr) throw Failure("nothing is prepared");
    const auto times = d.timer ? d.timer->sample(count) : d.work->sample(count);
    std::copy(times.begin(), times.end(), seconds);
  });
}

int conditions(void* device, moesim_conditions* out, char* why, std::size_t why_size) {
  return guarded(why, why_size, [&] {
    const auto& nvml = static_cast<Device*>(device)->session.nvml;
    *out = nvml ? nvml->conditions() : moesim_conditions{};
  });
}

int energy(void* device, double loop, double* joules, double* seconds, double* runs, char* why,
           std::size_t why_size) {
  return guarded(why, why_size, [&] {
    auto& d = *static_cast<Device*>(device);
    if (d.timer == nullptr) throw Refusal("the energy of this operation is not measured");
    const Timer::Loop result = d.timer->energy(loop);
    *joules = result.joules, *seconds = result.seconds, *runs = result.runs;
  });
}

int verify(void* device, const moesim_op* op, double* error, double* tolerance, char* why,
           std::size_t why_size) {
  return guarded(why, why_size, [&] {
    auto& d = *static_cast<Device*>(device);
    d.drop();
    d.session.poison();
    d.work = make_work(d.session, *op);
    const Difference difference = d.work->check();
    check(cudaGetLastError(), "launching");
    *error = difference.error, *tolerance = difference.tolerance;
  });
}

constexpr moesim_module kModule{MOESIM_MODULE_ABI, open_device, close_device,
                                device_facts,      prepare,     sample,
                                conditions,        energy,      verify};

}  // namespace
}  // namespace moesim_cuda

extern "C" __attribute__((visibility("default"))) const moesim_module* moesim_module_entry() {
  return &moesim_cuda::kModule;
}
