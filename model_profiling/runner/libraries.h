// SPDX-License-Identifier: Apache-2.0
// The ExecuTorch libraries that must not be loaded before the CPU's features are masked.
#pragma once

namespace runner {

// Loads the XNNPACK backend and the kernel libraries; throws UserError when one is missing.
void load_backend_and_kernels();

} // namespace runner
