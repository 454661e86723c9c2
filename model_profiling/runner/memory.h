// SPDX-License-Identifier: Apache-2.0
// How much memory the process has needed.
#pragma once

#include <cstdint>

namespace runner {

// Peak resident memory of this process so far, in bytes; 0 where the system does not tell.
std::int64_t peak_rss_bytes();

} // namespace runner
