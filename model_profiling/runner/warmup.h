// SPDX-License-Identifier: Apache-2.0
// When to stop warming up.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace runner {

// Executes at least `least` times, then on until the medians of three successive blocks
// agree within 2 %, but never more than `most` times (or `least`, if that is more).
// Returns every duration in nanoseconds. The constants are those of
// pipeline/runners/result.py.
std::vector<std::int64_t> warm_up(unsigned least, unsigned most, const std::function<std::int64_t()>& execute);

} // namespace runner
