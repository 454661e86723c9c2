// SPDX-License-Identifier: Apache-2.0
// One process's work on a model: load, warm up, execute, and again with the tracer.
#pragma once

#include <executorch/devtools/etdump/etdump_flatcc.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "cpu_mask.h"
#include "model.h"
#include "options.h"

namespace runner {

struct Measurement {
  unsigned threads = 1;
  std::int64_t load_ns = 0;               // program and method, weights packed; untraced
  std::vector<std::int64_t> warmup_ns;    // untraced
  std::vector<std::int64_t> latency_ns;   // untraced, after warm-up
  std::int64_t peak_rss_bytes = 0;        // up to here: tracing is not charged to the model
  std::vector<std::int64_t> traced_warmup_ns; // with the tracer, not in the ETDump
  std::vector<std::int64_t> traced_ns;    // one Execute block of the ETDump each
  std::vector<Output> outputs;            // of the first execution: a model may keep state from one to the next
  std::vector<std::uint8_t> etdump;
  MaskedFeatures features;
};

// Loads once without and once with the tracer, never both: a tracer is bound to a method when that is
// loaded, and each method packs the weights anew.
class Session {
 public:
  // Masks the CPU's features, sets the threads, reads model and inputs; throws UserError.
  explicit Session(const Options& options);

  // Loads the untraced method and warms up; throws UserError or MeasurementError.
  void begin_timed();

  // Leaves the untraced method, loads the traced one and warms up; what that traced is dropped.
  void begin_traced();

  // Executes, and returns the times, which the measurement holds too.
  std::vector<std::int64_t> execute(unsigned count);

  // How long an execution took at the end of the warm-up, 0 without one.
  std::int64_t warm_ns() const;

  // What was measured, with outputs and trace. Nothing can be executed afterwards.
  Measurement finish();

 private:
  std::int64_t execute_once();
  void end_timed();
  void take_trace();

  const Options& options_;
  Measurement result_;
  std::int64_t load_start_ns_ = 0;
  bool has_outputs_ = false;
  unsigned executions_ = 0; // of the loaded method, that succeeded
  std::optional<Model> model_;
  std::vector<TensorSpec> specs_;
  std::vector<std::vector<std::uint8_t>> inputs_;
  std::optional<executorch::etdump::ETDumpGen> tracer_;
  std::optional<LoadedMethod> method_;
};

// CLOCK_MONOTONIC on Linux, the clock of the ETDump too; on macOS the finer
// CLOCK_MONOTONIC_RAW, as its CLOCK_MONOTONIC counts whole microseconds.
std::int64_t now_ns();

} // namespace runner
