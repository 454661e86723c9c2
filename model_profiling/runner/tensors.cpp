// SPDX-License-Identifier: Apache-2.0
#include "tensors.h"

#include <executorch/runtime/core/exec_aten/util/scalar_type_util.h>

#include <cstring>

#include "errors.h"
#include "text.h"

namespace runner {
namespace {

// Strides in elements, by dimension, of a tensor that lies in memory in `order`.
std::vector<std::size_t> strides_of(const std::vector<std::int32_t>& shape, const std::vector<std::uint8_t>& order) {
  std::vector<std::size_t> strides(shape.size());
  std::size_t step = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    const std::size_t dim = order.empty() ? i : order[i];
    strides[dim] = step;
    step *= static_cast<std::size_t>(shape[dim]);
  }
  return strides;
}

// Copies every element; `from_c` says which side is in C order.
std::vector<std::uint8_t> reorder(const TensorSpec& spec, const std::uint8_t* source, bool from_c) {
  const std::size_t count = spec.elements();
  const std::size_t size = count == 0 ? 0 : spec.bytes() / count;
  const auto memory_strides = strides_of(spec.shape, spec.dim_order);
  std::vector<std::uint8_t> target(spec.bytes());
  std::vector<std::int32_t> index(spec.shape.size());
  for (std::size_t c = 0; c < count; ++c) {
    std::size_t m = 0;
    for (std::size_t d = 0; d < index.size(); ++d) m += static_cast<std::size_t>(index[d]) * memory_strides[d];
    const std::size_t to = from_c ? m : c;
    const std::size_t from = from_c ? c : m;
    std::memcpy(target.data() + to * size, source + from * size, size);
    for (std::size_t d = index.size(); d-- > 0;) { // the next index in C order
      if (++index[d] < spec.shape[d]) break;
      index[d] = 0;
    }
  }
  return target;
}

} // namespace

std::size_t TensorSpec::elements() const {
  std::size_t count = 1;
  for (const auto extent : shape) count *= static_cast<std::size_t>(extent);
  return count;
}

std::size_t TensorSpec::bytes() const { return elements() * executorch::runtime::elementSize(type); }

TensorSpec spec_of(const executorch::runtime::TensorInfo& info) {
  TensorSpec spec;
  spec.type = info.scalar_type();
  spec.shape.assign(info.sizes().begin(), info.sizes().end());
  spec.dim_order.assign(info.dim_order().begin(), info.dim_order().end());
  return spec;
}

void set_shape(TensorSpec& spec, const std::string& text) {
  constexpr std::size_t kMostDigits = 9; // what an extent of 32 bits holds in any case
  std::string most;
  for (const auto extent : spec.shape) most += (most.empty() ? "" : "x") + std::to_string(extent);
  const auto refuse = [&](const std::string& why) {
    throw UserError("the shape " + text + " " + why, "in --input-shape",
                    "use one of up to " + (most.empty() ? std::string("scalar") : most));
  };
  std::vector<std::int32_t> shape;
  for (const auto& part : split(text == "scalar" ? "" : text, 'x')) {
    if (part.size() > kMostDigits || part.find_first_not_of("0123456789") != std::string::npos) refuse("is none");
    shape.push_back(std::stoi(part));
  }
  if (shape.size() != spec.shape.size()) refuse("has " + std::to_string(shape.size()) + " dimensions");
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] > spec.shape[i]) refuse("is larger than the program takes");
  }
  spec.shape = shape;
}

const char* dtype_name(ScalarType type) {
  switch (type) {
    case ScalarType::Byte: return "uint8";
    case ScalarType::Char: return "int8";
    case ScalarType::Short: return "int16";
    case ScalarType::Int: return "int32";
    case ScalarType::Long: return "int64";
    case ScalarType::Half: return "float16";
    case ScalarType::Float: return "float32";
    case ScalarType::Double: return "float64";
    case ScalarType::Bool: return "bool";
    case ScalarType::BFloat16: return "bfloat16"; // not numpy's own, but everybody's name
    case ScalarType::UInt16: return "uint16";
    case ScalarType::UInt32: return "uint32";
    case ScalarType::UInt64: return "uint64";
    default: return "";
  }
}

std::vector<std::uint8_t> to_memory_order(const TensorSpec& spec, const std::uint8_t* c_order) {
  return reorder(spec, c_order, true);
}

std::vector<std::uint8_t> to_c_order(const TensorSpec& spec, const std::uint8_t* memory) {
  return reorder(spec, memory, false);
}

} // namespace runner
