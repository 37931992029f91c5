#include "calibrate/cuda/nvml.h"

#include <dlfcn.h>

namespace moesim_cuda {

// Declared here rather than included: the header is not on every machine, the ABI is stable.
struct Nvml::Api {
  void* library = nullptr;
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*by_pci)(const char*, void**) = nullptr;
  int (*clock)(void*, unsigned, unsigned*) = nullptr;
  int (*temperature)(void*, unsigned, unsigned*) = nullptr;
  int (*power)(void*, unsigned*) = nullptr;
  int (*energy)(void*, unsigned long long*) = nullptr;
  int (*throttle)(void*, unsigned long long*) = nullptr;
  int (*driver)(char*, unsigned) = nullptr;
};

namespace {

constexpr unsigned kClockSm = 1, kClockMemory = 2, kTemperatureGpu = 0;

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

Nvml::Nvml(std::unique_ptr<Api> api, void* device) : api_(std::move(api)), device_(device) {}

Nvml::~Nvml() {
  api_->shutdown();
  dlclose(api_->library);
}

std::unique_ptr<Nvml> Nvml::open(const std::string& pci_bus_id) {
  auto api = std::make_unique<Api>();
  api->library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (api->library == nullptr) return nullptr;
  const bool whole =
      find(api->library, "nvmlInit_v2", api->init) &&
      find(api->library, "nvmlShutdown", api->shutdown) &&
      find(api->library, "nvmlDeviceGetHandleByPciBusId_v2", api->by_pci) &&
      find(api->library, "nvmlDeviceGetClockInfo", api->clock) &&
      find(api->library, "nvmlDeviceGetTemperature", api->temperature) &&
      find(api->library, "nvmlDeviceGetPowerUsage", api->power) &&
      find(api->library, "nvmlDeviceGetTotalEnergyConsumption", api->energy) &&
      find(api->library, "nvmlDeviceGetCurrentClocksThrottleReasons", api->throttle) &&
      find(api->library, "nvmlSystemGetDriverVersion", api->driver);
  void* device = nullptr;
  if (!whole || api->init() != 0) {
    dlclose(api->library);
    return nullptr;
  }
  if (api->by_pci(pci_bus_id.c_str(), &device) != 0) {
    api->shutdown();
    dlclose(api->library);
    return nullptr;
  }
  return std::unique_ptr<Nvml>(new Nvml(std::move(api), device));
}

moesim_conditions Nvml::conditions() const {
  moesim_conditions c{};
  unsigned sm = 0, memory = 0, temperature = 0, power = 0;
  unsigned long long reasons = 0;
  const bool known = api_->clock(device_, kClockSm, &sm) == 0 &&
                     api_->clock(device_, kClockMemory, &memory) == 0 &&
                     api_->temperature(device_, kTemperatureGpu, &temperature) == 0 &&
                     api_->throttle(device_, &reasons) == 0;
  if (!known) return c;
  api_->power(device_, &power);  // milliwatts; stays 0 where not counted
  c.sm_mhz = sm;
  c.memory_mhz = memory;
  c.temperature_c = temperature;
  c.power_w = power * 1e-3;
  c.throttle_reasons = reasons & ~1ull;  // bit 0 is "idle", which is no throttling
  c.known = 1;
  return c;
}

double Nvml::energy() const {
  unsigned long long millijoules = 0;
  if (api_->energy(device_, &millijoules) != 0) return -1;
  return static_cast<double>(millijoules) * 1e-3;
}

std::string Nvml::driver_version() const {
  char text[96] = {};
  return api_->driver(text, sizeof(text)) == 0 ? text : "unknown";
}

}  // namespace moesim_cuda
