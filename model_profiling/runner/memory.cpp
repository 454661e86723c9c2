// SPDX-License-Identifier: Apache-2.0
#include "memory.h"

#ifdef __APPLE__
#include <sys/resource.h>
#else
#include <cstdlib>
#include <fstream>
#include <string>
#endif

namespace runner {

std::int64_t peak_rss_bytes() {
#ifdef __APPLE__
  rusage usage{};
  return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : 0; // bytes on macOS
#else
  // Not getrusage: on Linux its ru_maxrss starts at what the process that forked us had.
  constexpr char kField[] = "VmHWM:";
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(kField, 0) == 0) return std::strtoll(line.c_str() + sizeof(kField) - 1, nullptr, 10) * 1024;
  }
  return 0;
#endif
}

} // namespace runner
