// SPDX-License-Identifier: Apache-2.0
// What the system says of this process and its machine, to tell a quiet turn from a disturbed one.
#pragma once

#include <cstdint>
#include <optional>

namespace runner {

// Counts since the process (or the system) began; the difference of two is what happened in between.
struct Usage {
  std::int64_t cpu_ns = 0;                  // of all threads of the process, in user and system mode
  std::int64_t involuntary_switches = 0;    // times that a thread was put off its core while it could have gone on
  std::optional<std::int64_t> steal_ns;     // of all cores: time that the hypervisor gave to others; Linux alone
};

Usage usage_now();

// The frequency of the core that this thread is on, where the system tells it.
std::optional<std::int64_t> frequency_khz();

} // namespace runner
