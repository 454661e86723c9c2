// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include <executorch/runtime/platform/runtime.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "errors.h"
#include "inputs.h"
#include "libraries.h"
#include "memory.h"
#include "threads.h"
#include "warmup.h"

namespace runner {

std::int64_t now_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Session::Session(const Options& options) : options_(options) {
  executorch::runtime::runtime_init();
  result_.features = mask_cpu_features(options.disable_cpu_features);
  load_backend_and_kernels();
  result_.threads = set_threads(options.threads);
  const auto start = now_ns();
  model_.emplace(options.model, options.method, options.data);
  result_.load_ns = now_ns() - start;
  specs_ = model_->input_specs(options.input_shapes);
  inputs_ = options.inputs.empty() ? seeded_inputs(options.seed, specs_) : read_inputs(options.inputs, specs_);
}

void Session::begin_timed() {
  const auto start = now_ns();
  method_.emplace(*model_, nullptr);
  result_.load_ns += now_ns() - start;
  result_.warmup_ns = warm_up(options_.warmup, options_.max_warmup, [this] { return execute_once(); });
}

void Session::begin_traced() {
  const bool alone = !method_; // nothing was timed: this is the process's one load
  end_timed();
  const auto start = now_ns();
  executions_ = 0;
  tracer_.emplace();
  method_.emplace(*model_, &*tracer_);
  if (alone) result_.load_ns += now_ns() - start;
  // The machine is warm; these touch the newly packed weights. What they traced is then
  // dropped, so that the ETDump holds exactly the executions reported in traced_ns.
  for (unsigned i = 0; i < options_.warmup; ++i) result_.traced_warmup_ns.push_back(execute_once());
  tracer_->reset();
}

std::vector<std::int64_t> Session::execute(unsigned count) {
  std::vector<std::int64_t> times;
  times.reserve(count);
  for (unsigned i = 0; i < count; ++i) times.push_back(execute_once());
  auto& all = tracer_ ? result_.traced_ns : result_.latency_ns;
  all.insert(all.end(), times.begin(), times.end());
  return times;
}

std::int64_t Session::warm_ns() const {
  constexpr std::ptrdiff_t kLast = 5;
  const auto& warmup = tracer_ ? result_.traced_warmup_ns : result_.warmup_ns;
  if (warmup.empty()) return 0;
  std::vector<std::int64_t> last(warmup.end() - std::min<std::ptrdiff_t>(kLast, warmup.size()), warmup.end());
  std::nth_element(last.begin(), last.begin() + last.size() / 2, last.end());
  return last[last.size() / 2];
}

// Only Method::execute is timed: that is what an ETDump's Method::execute event spans, so
// timed and traced executions measure the same thing.
std::int64_t Session::execute_once() {
  method_->set_inputs(inputs_, specs_);
  const auto start = now_ns();
  method_->execute(executions_);
  const auto taken = now_ns() - start;
  ++executions_;
  if (!has_outputs_) {
    result_.outputs = method_->outputs();
    has_outputs_ = true;
  }
  return taken;
}

void Session::end_timed() {
  if (!method_ || tracer_) return;
  result_.peak_rss_bytes = peak_rss_bytes();
  if (!has_outputs_) execute_once();
  method_.reset();
}

void Session::take_trace() {
  const auto trace = tracer_->get_etdump_data();
  if (trace.buf == nullptr || trace.size == 0) {
    throw MeasurementError("this ExecuTorch gave no trace: it is built without the event tracer");
  }
  const auto* bytes = static_cast<const std::uint8_t*>(trace.buf);
  result_.etdump.assign(bytes, bytes + trace.size);
  if (!tracer_->is_static_etdump()) std::free(trace.buf);
}

Measurement Session::finish() {
  end_timed();
  if (tracer_) take_trace();
  method_.reset();
  return std::move(result_);
}

} // namespace runner
