#include "calibrate/cuda/nccl.h"

#include <dlfcn.h>

#include "calibrate/cuda/common.h"

namespace moesim_cuda {
namespace {

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

std::unique_ptr<Nccl> Nccl::open() {
  std::unique_ptr<Nccl> nccl(new Nccl);
  void* const library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return nullptr;
  const bool whole = find(library, "ncclGetVersion", nccl->get_version_) &&
                     find(library, "ncclGetErrorString", nccl->error_string_) &&
                     find(library, "ncclCommInitAll", nccl->comm_init_all) &&
                     find(library, "ncclCommDestroy", nccl->comm_destroy) &&
                     find(library, "ncclCommAbort", nccl->comm_abort) &&
                     find(library, "ncclGroupStart", nccl->group_start) &&
                     find(library, "ncclGroupEnd", nccl->group_end) &&
                     find(library, "ncclSend", nccl->send) &&
                     find(library, "ncclRecv", nccl->receive);
  return whole ? std::move(nccl) : nullptr;
}

std::string Nccl::version() const {
  int code = 0;
  if (get_version_(&code) != 0) return "unknown";
  return std::to_string(code / 10000) + "." + std::to_string(code / 100 % 100) + "." +
         std::to_string(code % 100);
}

void Nccl::check(int status, const char* what) const {
  if (status == 0) return;
  throw Failure(std::string(what) + ": NCCL: " + error_string_(status));
}

}  // namespace moesim_cuda
