// SPDX-License-Identifier: Apache-2.0
// One launch: load, warm up, time, trace.
#pragma once

#include "options.h"
#include "session.h"

namespace runner {

// Executes what the options ask for, without a pause; throws UserError or MeasurementError.
Measurement measure(const Options& options);

} // namespace runner
