// A GPU behind the C interface of module_abi.h.
#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "calibrate/measure/device.hpp"
#include "calibrate/measure/module_abi.h"
#include "sim/base/errors.hpp"

namespace moesim {
namespace {

// The seam speaks numbers; they are these.
static_assert(static_cast<int>(OpKind::gemm) == MOESIM_GEMM);
static_assert(static_cast<int>(OpKind::experts) == MOESIM_EXPERTS);
static_assert(static_cast<int>(OpKind::read) == MOESIM_READ);
static_assert(static_cast<int>(OpKind::copy) == MOESIM_COPY);
static_assert(static_cast<int>(OpKind::permute) == MOESIM_PERMUTE);
static_assert(static_cast<int>(OpKind::combine) == MOESIM_COMBINE);
static_assert(static_cast<int>(OpKind::rmsnorm) == MOESIM_RMSNORM);
static_assert(static_cast<int>(OpKind::router_topk) == MOESIM_ROUTER_TOPK);
static_assert(static_cast<int>(OpKind::decode_attention) == MOESIM_DECODE_ATTENTION);
static_assert(static_cast<int>(OpKind::graph_node) == MOESIM_GRAPH_NODE);
static_assert(static_cast<int>(OpKind::stream_launch) == MOESIM_STREAM_LAUNCH);
static_assert(static_cast<int>(OpKind::all_to_all) == MOESIM_ALL_TO_ALL);
static_assert(static_cast<int>(Dtype::bf16) == MOESIM_BF16);
static_assert(static_cast<int>(Dtype::fp8) == MOESIM_FP8);
static_assert(static_cast<int>(Dtype::fp8_block) == MOESIM_FP8_BLOCK);
static_assert(static_cast<int>(Dtype::int8) == MOESIM_INT8);
static_assert(static_cast<int>(ExpertBackend::strided_batch) == MOESIM_STRIDED_BATCH);
static_assert(static_cast<int>(ExpertBackend::multi_stream) == MOESIM_MULTI_STREAM);
static_assert(static_cast<int>(ExpertBackend::grouped_batched) == MOESIM_GROUPED_BATCHED);
static_assert(static_cast<int>(ExpertBackend::lt_grouped) == MOESIM_LT_GROUPED);
static_assert(static_cast<int>(ExchangePattern::uniform) == MOESIM_UNIFORM);
static_assert(static_cast<int>(ExchangePattern::incast) == MOESIM_INCAST);
static_assert(static_cast<int>(ExchangePattern::pairs) == MOESIM_PAIRS);
static_assert(static_cast<int>(ExchangePattern::skewed) == MOESIM_SKEWED);

moesim_op to_abi(const Operation& op) {
  moesim_op out{};
  out.kind = static_cast<int>(op.kind), out.dtype = static_cast<int>(op.dtype);
  out.backend = static_cast<int>(op.backend), out.pattern = static_cast<int>(op.pattern);
  out.m = op.m, out.n = op.n, out.k = op.k;
  out.tokens = op.tokens, out.hidden = op.hidden, out.intermediate = op.intermediate;
  out.experts = op.experts, out.top_k = op.top_k;
  out.batch = op.batch, out.kv_tokens = op.kv_tokens;
  out.heads = op.heads, out.kv_heads = op.kv_heads, out.head_dim = op.head_dim;
  out.bytes = op.bytes, out.ranks = op.ranks;
  out.counts = op.counts.empty() ? nullptr : op.counts.data();
  return out;
}

using Text = std::array<char, 512>;

class ModuleDevice final : public MeasuredDevice {
 public:
  ModuleDevice(const moesim_module& module, void* device) : module_(module), device_(device) {
    moesim_facts f{};
    Text why{};
    demand(of_device(module_.facts(device_, &f, why.data(), why.size())),
           "asking for its facts", why);
    facts_.name = f.name;
    facts_.system = system_key(f.name);
    facts_.versions = f.versions;
    facts_.library = f.library;
    facts_.gpus = f.gpus;
    facts_.compute_capability = f.compute_capability;
    facts_.memory = Bytes{f.memory_bytes};
    facts_.l2_cache = Bytes{f.l2_bytes};
    facts_.memory_bandwidth = BytesPerSecond{f.memory_bandwidth};
    facts_.flops = FlopsPerSecond{f.bf16_flops};
  }
  ~ModuleDevice() override { module_.close(device_); }
  ModuleDevice(const ModuleDevice&) = delete;
  ModuleDevice& operator=(const ModuleDevice&) = delete;

  [[nodiscard]] const DeviceFacts& facts() const override { return facts_; }

  std::optional<std::string> prepare(const Operation& op) override {
    Text why{};
    std::array<char, 64> kernel{};
    const moesim_op abi = to_abi(op);
    const int code = module_.prepare(device_, &abi, kernel.data(), why.data(), why.size());
    if (code == MOESIM_REFUSED) return std::string(why.data());
    demand(code, to_text(op), why);
    kernel_ = kernel.data();
    operation_ = to_text(op);
    return std::nullopt;
  }
  [[nodiscard]] std::string kernel() const override { return kernel_; }

  std::vector<Seconds> sample(int count) override {
    std::vector<double> raw(static_cast<std::size_t>(count));
    Text why{};
    demand(module_.sample(device_, count, raw.data(), why.data(), why.size()), operation_, why);
    std::vector<Seconds> times;
    for (const double s : raw) times.emplace_back(s);
    return times;
  }

  std::optional<Conditions> conditions() override {
    moesim_conditions c{};
    Text why{};
    demand(of_device(module_.conditions(device_, &c, why.data(), why.size())),
           "reading its state", why);
    if (c.known == 0) return std::nullopt;
    return Conditions{c.sm_mhz, c.memory_mhz, c.temperature_c, c.power_w, c.throttle_reasons};
  }

  std::optional<EnergyLoop> energy(Seconds loop) override {
    double joules = 0, seconds = 0, runs = 0;
    Text why{};
    const int code =
        module_.energy(device_, loop.value, &joules, &seconds, &runs, why.data(), why.size());
    if (code == MOESIM_REFUSED || (code == MOESIM_OK && runs <= 0)) return std::nullopt;
    demand(code, operation_, why);
    return EnergyLoop{Joules{joules}, Seconds{seconds}, runs};
  }

  std::optional<Verification> verify(const Operation& op, std::string& refusal) override {
    Text why{};
    Verification v;
    const moesim_op abi = to_abi(op);
    const int code =
        module_.verify(device_, &abi, &v.error, &v.tolerance, why.data(), why.size());
    if (code == MOESIM_REFUSED) {
      refusal = why.data();
      return std::nullopt;
    }
    demand(code, to_text(op), why);
    return v;
  }

 private:
  // What went wrong without an operation is the device's failure.
  static int of_device(int code) { return code == MOESIM_OK ? MOESIM_OK : MOESIM_LOST; }

  void demand(int code, const std::string& what, const Text& why) const {
    if (code == MOESIM_OK) return;
    if (code == MOESIM_FAILED) throw OperationFailed(why.data());
    throw WorldError(fmt::format("{}: {}: {}", facts_.name.empty() ? "the GPU" : facts_.name,
                                 what, why.data()));
  }

  const moesim_module& module_;
  void* device_;
  DeviceFacts facts_;
  std::string kernel_;
  std::string operation_;
};

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const auto& item : list) text += (text.empty() ? "" : ", ") + item;
  return text;
}

// Stays loaded until the program ends: CUDA's libraries do not unload safely.
const moesim_module& load_module() {
  std::string last;
  for (const auto& place : cuda_module_places()) {
    if (!std::filesystem::exists(place)) continue;
    void* library = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      last = dlerror();
      continue;
    }
    const auto entry =
        reinterpret_cast<moesim_module_entry_fn>(dlsym(library, MOESIM_MODULE_ENTRY));
    if (entry != nullptr && entry()->abi == MOESIM_MODULE_ABI) return *entry();
    throw WorldError(place + " is of another version of this program");
  }
  if (!last.empty()) {
    throw WorldError(
        "the CUDA module cannot be loaded: " + last +
        "; LD_LIBRARY_PATH must name the folders of libcublas.so and libcublasLt.so");
  }
  throw WorldError("this build has no CUDA module (looked for " + joined(cuda_module_places()) +
                   "); build with a CUDA Toolkit: cmake -S calibrate -B build/calibrate");
}

}  // namespace

std::vector<std::string> cuda_module_places() {
  if (const char* place = std::getenv("MOESIM_CUDA_MODULE")) return {place};
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const auto folder = program.parent_path();
  return {(folder / "moesim_cuda.so").string(),
          (folder.parent_path() / "lib" / "moesim" / "moesim_cuda.so").string()};
}

std::unique_ptr<MeasuredDevice> open_cuda_device(int ordinal) {
  const moesim_module& module = load_module();
  void* device = nullptr;
  Text why{};
  if (module.open(ordinal, &device, why.data(), why.size()) != MOESIM_OK) {
    throw WorldError(why.data());
  }
  return std::make_unique<ModuleDevice>(module, device);
}

}  // namespace moesim
