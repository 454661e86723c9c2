// SPDX-License-Identifier: Apache-2.0
// An ExecuTorch program and its method, loaded with or without a tracer.
#pragma once

#include <executorch/extension/data_loader/file_data_loader.h>
#include <executorch/extension/flat_tensor/flat_tensor_data_map.h>
#include <executorch/extension/memory_allocator/malloc_memory_allocator.h>
#include <executorch/runtime/core/hierarchical_allocator.h>
#include <executorch/runtime/executor/memory_manager.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/executor/program.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tensors.h"

namespace runner {

// The program of a .pte file.
class Model {
 public:
  // Throws UserError when the file is missing, a folder, empty, truncated or no program, and when it has no method
  // of that name, or several and the name is empty. `data` is a .ptd with weights of it, or empty.
  Model(const std::string& path, const std::string& method, const std::string& data);

  const std::string& path() const { return path_; }
  const executorch::runtime::Program& program() const { return *program_; }
  executorch::runtime::MethodMeta meta() const;
  // The weights outside of the program, or nullptr.
  const executorch::runtime::NamedDataMap* data() const { return data_ ? &*data_ : nullptr; }

  // Specs of the inputs, with the given shapes where there are any; throws UserError for an input that is no tensor,
  // and for shapes that the program cannot take.
  std::vector<TensorSpec> input_specs(const std::vector<std::string>& shapes) const;

 private:
  std::string choose_method(const std::string& wanted) const;
  void load_data(const std::string& path);

  std::string path_;
  std::string method_name_;
  std::optional<executorch::extension::FileDataLoader> loader_;
  std::optional<executorch::runtime::Program> program_;
  std::optional<executorch::extension::FileDataLoader> data_loader_;
  std::optional<executorch::extension::FlatTensorDataMap> data_;
};

// A value the model gave: `bytes` in C order.
struct Output {
  TensorSpec spec;
  std::vector<std::uint8_t> bytes;
};

// The model's method, ready to execute. Loading packs the weights, so a second one
// (with a tracer) should come after the first is gone.
class LoadedMethod {
 public:
  LoadedMethod(const Model& model, executorch::runtime::EventTracer* tracer);

  // `inputs` are in memory order and must outlive the executions. An execution may
  // overwrite the planned memory that holds its inputs, so set them before each one.
  void set_inputs(std::vector<std::vector<std::uint8_t>>& inputs, const std::vector<TensorSpec>& specs);

  // Throws MeasurementError when the runtime reports a failure; `before` is how many executions succeeded before.
  void execute(unsigned before);

  std::vector<Output> outputs() const;

 private:
  void give_outputs_memory(const executorch::runtime::MethodMeta& meta);

  std::string path_;
  executorch::extension::MallocMemoryAllocator method_allocator_;
  executorch::extension::MallocMemoryAllocator temp_allocator_;
  std::vector<std::vector<std::uint8_t>> planned_;
  std::vector<executorch::runtime::Span<std::uint8_t>> spans_;
  std::vector<std::vector<std::uint8_t>> output_memory_;
  std::optional<executorch::runtime::HierarchicalAllocator> planned_allocator_;
  std::optional<executorch::runtime::MemoryManager> memory_;
  std::optional<executorch::runtime::Method> method_;
};

} // namespace runner
