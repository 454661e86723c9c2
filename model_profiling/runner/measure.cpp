// SPDX-License-Identifier: Apache-2.0
#include "measure.h"

#include <executorch/devtools/etdump/etdump_flatcc.h>
#include <executorch/runtime/platform/runtime.h>

#include <chrono>
#include <cstdlib>
#include <memory>

#include "errors.h"
#include "inputs.h"
#include "libraries.h"
#include "memory.h"
#include "threads.h"
#include "warmup.h"

namespace runner {
namespace {

using executorch::etdump::ETDumpGen;

// CLOCK_MONOTONIC on Linux, the clock of the ETDump too; on macOS the finer
// CLOCK_MONOTONIC_RAW, as its CLOCK_MONOTONIC counts whole microseconds.
std::int64_t now_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Executions of one method on the same inputs. Only Method::execute is timed: that is
// what an ETDump's Method::execute event spans, so both phases measure the same thing.
class Executions {
 public:
  Executions(LoadedMethod& method, std::vector<std::vector<std::uint8_t>>& inputs,
             const std::vector<TensorSpec>& specs)
      : method_(method), inputs_(inputs), specs_(specs) {}

  std::int64_t one() {
    method_.set_inputs(inputs_, specs_);
    const auto start = now_ns();
    method_.execute();
    return now_ns() - start;
  }

  std::vector<std::int64_t> many(unsigned count) {
    std::vector<std::int64_t> times;
    times.reserve(count);
    for (unsigned i = 0; i < count; ++i) times.push_back(one());
    return times;
  }

 private:
  LoadedMethod& method_;
  std::vector<std::vector<std::uint8_t>>& inputs_;
  const std::vector<TensorSpec>& specs_;
};

void measure_untraced(const Options& options, const Model& model, std::int64_t load_start, Measurement& result,
                      std::vector<std::vector<std::uint8_t>>& inputs, const std::vector<TensorSpec>& specs) {
  LoadedMethod method(model, nullptr);
  result.load_ns += now_ns() - load_start;
  Executions executions(method, inputs, specs);
  result.warmup_ns = warm_up(options.warmup, options.max_warmup, [&] { return executions.one(); });
  result.latency_ns = executions.many(options.runs);
  result.peak_rss_bytes = peak_rss_bytes();
  if (result.warmup_ns.empty() && result.latency_ns.empty()) executions.one(); // outputs need one execution
  result.outputs = method.outputs();
}

// Where nothing is to be timed the untraced phases are left out, so that a record of the whole
// process (the kernel auditor's) holds one load of the model and the traced executions alone.
bool traced_only(const Options& options) {
  return options.traced_runs > 0 && options.runs == 0 && options.warmup == 0 && options.max_warmup == 0;
}

// A tracer is bound to a method when that is loaded, so tracing needs a method of its own.
// The untraced one is gone by now: weights are packed anew, never held twice.
void measure_traced(const Options& options, const Model& model, std::int64_t load_start, Measurement& result,
                    std::vector<std::vector<std::uint8_t>>& inputs, const std::vector<TensorSpec>& specs) {
  ETDumpGen tracer;
  LoadedMethod method(model, &tracer);
  if (traced_only(options)) result.load_ns += now_ns() - load_start;
  Executions executions(method, inputs, specs);
  // The machine is warm; these touch the newly packed weights. What they traced is then
  // dropped, so that the ETDump holds exactly the executions reported in traced_ns.
  result.traced_warmup_ns = executions.many(options.warmup);
  tracer.reset();
  result.traced_ns = executions.many(options.traced_runs);
  if (traced_only(options)) result.outputs = method.outputs();
  const auto trace = tracer.get_etdump_data();
  if (trace.buf == nullptr || trace.size == 0) {
    throw MeasurementError("this ExecuTorch gave no trace: it is built without the event tracer");
  }
  const auto* bytes = static_cast<const std::uint8_t*>(trace.buf);
  result.etdump.assign(bytes, bytes + trace.size);
  if (!tracer.is_static_etdump()) std::free(trace.buf);
}

} // namespace

Measurement measure(const Options& options) {
  executorch::runtime::runtime_init();
  Measurement result;
  result.features = mask_cpu_features(options.disable_cpu_features);
  load_backend_and_kernels();
  result.threads = set_threads(options.threads);

  auto start = now_ns();
  const Model model(options.model);
  result.load_ns = now_ns() - start;
  const auto specs = model.input_specs();
  auto inputs = options.inputs.empty() ? seeded_inputs(options.seed, specs) : read_inputs(options.inputs, specs);

  if (!traced_only(options)) measure_untraced(options, model, now_ns(), result, inputs, specs);
  if (options.traced_runs > 0) measure_traced(options, model, now_ns(), result, inputs, specs);
  return result;
}

} // namespace runner
