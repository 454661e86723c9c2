// SPDX-License-Identifier: Apache-2.0
// The pool of threads that XNNPACK and the kernels share.
#pragma once

namespace runner {

// Sets the size of the pool, before a model is loaded; returns the count it then has.
unsigned set_threads(unsigned count);

} // namespace runner
