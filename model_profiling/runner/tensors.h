// SPDX-License-Identifier: Apache-2.0
// What a model takes and gives: shapes, element types and orders of dimensions.
#pragma once

#include <executorch/runtime/executor/method_meta.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace runner {

using executorch::aten::ScalarType;

struct TensorSpec {
  ScalarType type = ScalarType::Float;
  std::vector<std::int32_t> shape;
  std::vector<std::uint8_t> dim_order; // outermost first, as the tensor lies in memory

  std::size_t elements() const;
  std::size_t bytes() const;
};

TensorSpec spec_of(const executorch::runtime::TensorInfo& info);

// Gives an input the shape written as "1x16" ("scalar" without dimensions); throws UserError for one that has another
// number of dimensions, or more in one of them than the program is planned for.
void set_shape(TensorSpec& spec, const std::string& text);

// numpy's name of an element type ("float32"), or an empty string for one without.
const char* dtype_name(ScalarType type);

// Between C order (how files hold tensors) and the order a tensor has in memory.
std::vector<std::uint8_t> to_memory_order(const TensorSpec& spec, const std::uint8_t* c_order);
std::vector<std::uint8_t> to_c_order(const TensorSpec& spec, const std::uint8_t* memory);

} // namespace runner
