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

// Whether the library has the function and it answered.
template <class Function, class... Arguments>
bool gave(Function function, Arguments... arguments) {
  return function != nullptr && function(arguments...) == 0;
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
  const bool whole = find(api->library, "nvmlInit_v2", api->init) &&
                     find(api->library, "nvmlShutdown", api->shutdown) &&
                     find(api->library, "nvmlDeviceGetHandleByPciBusId_v2", api->by_pci);
  // Each of these may be missing: what it tells is then unknown.
  find(api->library, "nvmlDeviceGetClockInfo", api->clock);
  find(api->library, "nvmlDeviceGetTemperature", api->temperature);
  find(api->library, "nvmlDeviceGetPowerUsage", api->power);
  find(api->library, "nvmlDeviceGetTotalEnergyConsumption", api->energy);
  // Renamed in driver 535, with the same bits.
  if (!find(api->library, "nvmlDeviceGetCurrentClocksEventReasons", api->throttle)) {
    find(api->library, "nvmlDeviceGetCurrentClocksThrottleReasons", api->throttle);
  }
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
  c.known = gave(api_->clock, device_, kClockSm, &sm);
  gave(api_->clock, device_, kClockMemory, &memory);
  gave(api_->temperature, device_, kTemperatureGpu, &temperature);
  gave(api_->power, device_, &power);  // milliwatts
  gave(api_->throttle, device_, &reasons);
  c.sm_mhz = sm;
  c.memory_mhz = memory;
  c.temperature_c = temperature;
  c.power_w = power * 1e-3;
  c.throttle_reasons = reasons & ~1ull;  // bit 0 is "idle", which is no throttling
  return c;
}

double Nvml::energy() const {
  unsigned long long millijoules = 0;
  if (!gave(api_->energy, device_, &millijoules)) return -1;
  return static_cast<double>(millijoules) * 1e-3;
}

std::string Nvml::driver_version() const {
  char text[96] = {};
  return gave(api_->driver, text, static_cast<unsigned>(sizeof(text))) ? text : "unknown";
}

}  // namespace moesim_cuda
