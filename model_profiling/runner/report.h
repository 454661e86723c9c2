// SPDX-License-Identifier: Apache-2.0
// Writing what was measured: outputs, ETDump, result.
#pragma once

#include "measure.h"
#include "options.h"

namespace runner {

// Throws UserError when a destination cannot be written; called before anything is measured.
void check_destinations(const Options& options);

// Writes the result last: where it is, everything it names is.
void write_report(const Options& options, const Measurement& measurement);

} // namespace runner
