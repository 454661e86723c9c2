// SPDX-License-Identifier: Apache-2.0
// Taking turns with another process: executions when they are asked for, idle in between.
#pragma once

#include "options.h"
#include "session.h"

namespace runner {

// Loads and warms up, then obeys the lines of standard input, each answered by one line of JSON on
// standard output when it is done: "turn N" executes N times, "trace" goes over to the tracer, "end" ends it.
// Throws UserError or MeasurementError, also where a line is no command or the input ends before "end".
Measurement take_turns(const Options& options);

} // namespace runner
