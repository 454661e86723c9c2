// SPDX-License-Identifier: Apache-2.0
// The bytes a model is fed: from files, or reproducible from a seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensors.h"

namespace runner {

// Reads one file per input; throws UserError when the number or a size does not fit.
// The result is in memory order.
std::vector<std::vector<std::uint8_t>> read_inputs(const std::vector<std::string>& paths,
                                                   const std::vector<TensorSpec>& specs);

// Fills the inputs from SplitMix64: floats uniform in [0, 1), integers and booleans 0 or
// 1. pipeline/inputs.py makes the very same bytes.
std::vector<std::vector<std::uint8_t>> seeded_inputs(std::uint64_t seed, const std::vector<TensorSpec>& specs);

} // namespace runner
