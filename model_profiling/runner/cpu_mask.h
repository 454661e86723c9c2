// SPDX-License-Identifier: Apache-2.0
// Clears CPU features in cpuinfo's struct, which XNNPACK reads once when it is loaded.
#pragma once

#include <string>
#include <vector>

namespace runner {

struct MaskedFeatures {
  std::vector<std::string> masked; // were set and are now cleared
  std::vector<std::string> active; // still set: what XNNPACK will see
};

// Must be called before the XNNPACK backend is loaded. Throws UserError, with nothing
// cleared, for a feature that is not set, or when the struct's layout disagrees with what
// the system reports.
MaskedFeatures mask_cpu_features(const std::vector<std::string>& names);

} // namespace runner
