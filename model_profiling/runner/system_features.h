// SPDX-License-Identifier: Apache-2.0
// What the operating system itself says about the CPU.
#pragma once

#include <optional>
#include <set>
#include <string>

namespace runner {

// The system's words for the features that every core has: the Features or flags lines of
// /proc/cpuinfo on Linux, the hw.optional.arm sysctls on macOS. Nothing where it says nothing.
std::optional<std::set<std::string>> system_feature_words();

} // namespace runner
