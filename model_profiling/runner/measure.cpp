// SPDX-License-Identifier: Apache-2.0
#include "measure.h"

namespace runner {
namespace {

// Where nothing is to be timed the untraced phases are left out, so that a record of the whole
// process (the kernel auditor's) holds one load of the model and the traced executions alone.
bool traced_only(const Options& options) {
  return options.traced_runs > 0 && options.runs == 0 && options.warmup == 0 && options.max_warmup == 0;
}

} // namespace

Measurement measure(const Options& options) {
  Session session(options);
  if (!traced_only(options)) {
    session.begin_timed();
    session.execute(options.runs);
  }
  if (options.traced_runs > 0) {
    session.begin_traced();
    session.execute(options.traced_runs);
  }
  return session.finish();
}

} // namespace runner
