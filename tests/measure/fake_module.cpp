// A module without CUDA, for the seam: what happens to a GEMM depends on its rows.
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "calibrate/measure/module_abi.h"

namespace {

int device_of_all;

int told(std::int64_t rows, char* why, std::size_t size) {
  constexpr const char* texts[] = {"", "no algorithm", "execution failed", "illegal access"};
  const int code = rows >= 0 && rows <= MOESIM_LOST ? static_cast<int>(rows) : MOESIM_OK;
  std::snprintf(why, size, "%s", texts[code]);
  return code;
}

std::int64_t prepared = 0;

int open_device(std::int32_t ordinal, void** device, char* why, std::size_t size) {
  *device = &device_of_all;
  return told(ordinal == 0 ? MOESIM_OK : MOESIM_REFUSED, why, size);
}
void close_device(void*) {}
int facts(void*, moesim_facts* out, char*, std::size_t) {
  *out = {};
  std::snprintf(out->name, sizeof(out->name), "NVIDIA H200");
  out->gpus = 1;
  return MOESIM_OK;
}
int prepare(void*, const moesim_op* op, char* kernel, char* why, std::size_t size) {
  std::snprintf(kernel, 64, "fake");
  prepared = op->n;
  return told(op->m, why, size);
}
// What sampling comes to is in the columns of what was prepared.
int sample(void*, std::int32_t count, double* seconds, char* why, std::size_t size) {
  for (int i = 0; i < count; ++i) seconds[i] = 1e-6 * (i + 1);
  return told(prepared, why, size);
}
int conditions(void*, moesim_conditions* out, char*, std::size_t) {
  *out = {};
  return MOESIM_OK;
}
int energy(void*, double, double*, double*, double*, char* why, std::size_t size) {
  return told(MOESIM_REFUSED, why, size);
}
int verify(void*, const moesim_op* op, double* error, double* tolerance, char* why,
           std::size_t size) {
  *error = 0.25, *tolerance = 0.5;
  return told(op->m, why, size);
}

constexpr moesim_module kModule{
    MOESIM_MODULE_ABI, open_device, close_device, facts, prepare, sample,
    conditions,        energy,      verify};

}  // namespace

extern "C" __attribute__((visibility("default"))) const moesim_module* moesim_module_entry() {
  return &kModule;
}
