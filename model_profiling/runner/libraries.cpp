// SPDX-License-Identifier: Apache-2.0
#include "libraries.h"

#include <dlfcn.h>

#include <string>

#include "errors.h"

namespace runner {
namespace {

#ifdef __APPLE__
constexpr char kSuffix[] = ".dylib";
#else
constexpr char kSuffix[] = ".so";
#endif

// The folder of the wheel's libraries: that of one which is loaded already.
std::string library_dir() {
  Dl_info info{};
  const void* symbol = dlsym(RTLD_DEFAULT, "cpuinfo_initialize");
  if (symbol == nullptr || dladdr(symbol, &info) == 0) return "";
  const std::string path = info.dli_fname;
  return path.substr(0, path.rfind('/') + 1);
}

bool load(const std::string& name) {
  return dlopen((library_dir() + name + kSuffix).c_str(), RTLD_LAZY | RTLD_GLOBAL) != nullptr;
}

} // namespace

void load_backend_and_kernels() {
  for (const char* name : {"libexecutorch_backend_xnnpack", "libexecutorch_kernels_optimized"}) {
    if (!load(name)) {
      const char* reason = dlerror();
      throw UserError(std::string("cannot load ") + name + " (" + (reason ? reason : "unknown reason") + ")",
                      "from ExecuTorch's libraries", "run setup_repo.sh, then build_runners.sh");
    }
  }
  // Only some int8 models need it, and not every build of ExecuTorch has it: a model that
  // misses its operators says so when it is loaded.
  load("libexecutorch_kernels_quantized");
}

} // namespace runner
