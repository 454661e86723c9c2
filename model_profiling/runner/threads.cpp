// SPDX-License-Identifier: Apache-2.0
#include "threads.h"

#include <cstddef>
#include <cstdint>

// The wheel exports these from libexecutorch_threadpool but ships no header for them
// (extension/threadpool/threadpool.h of the sources declares them).
namespace executorch::extension::threadpool {
class ThreadPool {
 public:
  std::size_t get_thread_count() const;
  bool _unsafe_reset_threadpool(std::uint32_t count);
};
ThreadPool* get_threadpool();
} // namespace executorch::extension::threadpool

namespace runner {

unsigned set_threads(unsigned count) {
  auto* pool = executorch::extension::threadpool::get_threadpool();
  if (pool == nullptr) return 1;
  pool->_unsafe_reset_threadpool(count);
  return static_cast<unsigned>(pool->get_thread_count());
}

} // namespace runner
