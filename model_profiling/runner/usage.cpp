// SPDX-License-Identifier: Apache-2.0
#include "usage.h"

#include <sys/resource.h>

#ifdef __linux__
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#endif

namespace runner {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::int64_t ns_of(const timeval& time) {
  return time.tv_sec * kNsPerSecond + static_cast<std::int64_t>(time.tv_usec) * 1000;
}

#ifdef __linux__
struct Closed {
  explicit Closed(const char* path) : file(std::fopen(path, "re")) {}
  ~Closed() {
    if (file != nullptr) std::fclose(file);
  }
  Closed(const Closed&) = delete;
  Closed& operator=(const Closed&) = delete;

  std::FILE* file;
};

// The eighth number of the first line: "cpu user nice system idle iowait irq softirq steal", in ticks.
std::optional<std::int64_t> steal_ns() {
  const Closed stat("/proc/stat");
  long long ticks = 0;
  if (stat.file == nullptr || std::fscanf(stat.file, "cpu %*d %*d %*d %*d %*d %*d %*d %lld", &ticks) != 1) {
    return std::nullopt;
  }
  return ticks * (kNsPerSecond / sysconf(_SC_CLK_TCK));
}
#endif

} // namespace

Usage usage_now() {
  Usage now;
  rusage own{};
  if (getrusage(RUSAGE_SELF, &own) == 0) {
    now.cpu_ns = ns_of(own.ru_utime) + ns_of(own.ru_stime);
    now.involuntary_switches = own.ru_nivcsw;
  }
#ifdef __linux__
  now.steal_ns = steal_ns();
#endif
  return now;
}

std::optional<std::int64_t> frequency_khz() {
#ifdef __linux__
  char path[96];
  std::snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", sched_getcpu());
  const Closed file(path);
  long long khz = 0;
  if (file.file != nullptr && std::fscanf(file.file, "%lld", &khz) == 1) return khz;
#endif
  return std::nullopt;
}

} // namespace runner
