// SPDX-License-Identifier: Apache-2.0
// The runtime's own log: its first error explains a failure, the rest would break one-line errors.
#pragma once

#include <string>

namespace runner {

// Takes over the runtime's log; call once, before anything of ExecuTorch runs.
void capture_runtime_log();

// The first error the runtime logged, in parentheses after a space; empty when there was none.
std::string runtime_error_text();

} // namespace runner
