// SPDX-License-Identifier: Apache-2.0
#include "model.h"

#include <executorch/runtime/core/exec_aten/util/dim_order_util.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "errors.h"
#include "log_capture.h"
#include "text.h"

namespace runner {
namespace {

using executorch::runtime::Error;
using executorch::runtime::EValue;
using executorch::runtime::Program;
using executorch::runtime::Span;
using executorch::runtime::Tag;

constexpr char kExport[] = "export it again with export_model.py";

// Refuses what is no file with something in it; `what` and `kind` are as in "the model", ".pte".
void require_file(const std::string& path, const std::string& what, const std::string& kind) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    throw UserError(what + " cannot be read (" + std::strerror(errno) + ")", "at " + path, "correct the path");
  }
  if (S_ISDIR(status.st_mode)) throw UserError(what + " is a folder", "at " + path, "name the " + kind + " file in it");
  if (!S_ISREG(status.st_mode)) throw UserError(what + " is no regular file", "at " + path, "name a " + kind + " file");
  if (status.st_size == 0) throw UserError(what + " is empty", "at " + path, kExport);
}

std::string hex(Error error) {
  char text[16];
  std::snprintf(text, sizeof(text), "0x%x", static_cast<unsigned>(error));
  return text;
}

} // namespace

Model::Model(const std::string& path, const std::string& method, const std::string& data) : path_(path) {
  require_file(path, "the model", ".pte");
  auto loader = executorch::extension::FileDataLoader::from(path.c_str());
  if (!loader.ok()) {
    throw UserError("the model cannot be read" + runtime_error_text(), "at " + path, "correct its permissions");
  }
  loader_.emplace(std::move(loader.get()));
  auto program = Program::load(&*loader_, Program::Verification::InternalConsistency);
  if (!program.ok() || program->num_methods() == 0) {
    throw UserError("the model is damaged or no ExecuTorch program" + runtime_error_text(), "at " + path, kExport);
  }
  program_.emplace(std::move(program.get()));
  method_name_ = choose_method(method);
  if (!data.empty()) load_data(data);
}

void Model::load_data(const std::string& path) {
  require_file(path, "the weights' file", ".ptd");
  auto loader = executorch::extension::FileDataLoader::from(path.c_str());
  if (loader.ok()) data_loader_.emplace(std::move(loader.get()));
  if (data_loader_) {
    auto map = executorch::extension::FlatTensorDataMap::load(&*data_loader_);
    if (map.ok()) data_.emplace(std::move(map.get()));
  }
  if (!data_) {
    throw UserError("the weights' file is damaged or none" + runtime_error_text(), "at " + path,
                    "name the .ptd that the export left beside the model");
  }
}

// Methods that only hold a constant do not count beside others.
std::string Model::choose_method(const std::string& wanted) const {
  std::vector<std::string> all, computing;
  for (std::size_t i = 0; i < program_->num_methods(); ++i) {
    const auto name = program_->get_method_name(i);
    if (!name.ok()) throw UserError("the model has a method without a name", "at " + path_, kExport);
    const auto meta = program_->method_meta(*name);
    if (!meta.ok()) throw UserError("the model's method cannot be read", "at " + path_, kExport);
    all.emplace_back(*name);
    if (meta->num_inputs() > 0 || meta->num_instructions() > 0) computing.emplace_back(*name);
  }
  if (computing.empty()) computing.push_back(all.front());
  std::string names;
  for (const auto& name : computing) names += (names.empty() ? "" : ", ") + name;
  if (wanted.empty() && computing.size() > 1) {
    throw UserError("the program has several methods (" + names + "), and none is named", "in " + path_,
                    "name one with --method");
  }
  if (wanted.empty()) return computing.front();
  if (std::find(computing.begin(), computing.end(), wanted) == computing.end()) {
    throw UserError("the program has no method " + wanted + did_you_mean(wanted, computing), "in " + path_,
                    "name one of " + names);
  }
  return wanted;
}

executorch::runtime::MethodMeta Model::meta() const {
  auto meta = program_->method_meta(method_name_.c_str());
  if (!meta.ok()) throw UserError("the model's method cannot be read", "at " + path_, kExport);
  return *meta;
}

std::vector<TensorSpec> Model::input_specs(const std::vector<std::string>& shapes) const {
  const auto meta = this->meta();
  if (!shapes.empty() && shapes.size() != meta.num_inputs()) {
    throw UserError(std::to_string(shapes.size()) + " shapes for a model of " + std::to_string(meta.num_inputs()) +
                        " inputs",
                    "in --input-shape", "give one for each input");
  }
  std::vector<TensorSpec> specs;
  for (std::size_t i = 0; i < meta.num_inputs(); ++i) {
    const auto info = meta.input_tensor_meta(i);
    if (!info.ok() || dtype_name(info->scalar_type())[0] == '\0') {
      throw UserError("input " + std::to_string(i) + " is not a tensor of plain numbers", "in " + path_,
                      "export the model with tensors as its inputs");
    }
    specs.push_back(spec_of(*info));
    if (!shapes.empty()) set_shape(specs.back(), shapes[i]);
  }
  return specs;
}

LoadedMethod::LoadedMethod(const Model& model, executorch::runtime::EventTracer* tracer) : path_(model.path()) {
  const auto meta = model.meta();
  for (std::size_t i = 0; i < meta.num_memory_planned_buffers(); ++i) {
    const auto size = meta.memory_planned_buffer_size(i);
    if (!size.ok() || *size < 0) throw UserError("the model's memory plan is damaged", "in " + path_, kExport);
    planned_.emplace_back(static_cast<std::size_t>(*size));
  }
  for (auto& buffer : planned_) spans_.emplace_back(buffer.data(), buffer.size());
  planned_allocator_.emplace(Span<Span<std::uint8_t>>(spans_.data(), spans_.size()));
  memory_.emplace(&method_allocator_, &*planned_allocator_, &temp_allocator_);
  auto method = model.program().load_method(meta.name(), &*memory_, tracer, model.data());
  if (!method.ok()) {
    throw UserError("ExecuTorch cannot load the model, error " + hex(method.error()) + runtime_error_text(),
                    "at " + path_,
                    model.data() ? "name the .ptd that belongs to it" : std::string(kExport) + ", or name its .ptd");
  }
  method_.emplace(std::move(method.get()));
  give_outputs_memory(meta);
}

// Outputs that the export left without planned memory get ours.
void LoadedMethod::give_outputs_memory(const executorch::runtime::MethodMeta& meta) {
  output_memory_.resize(meta.num_outputs());
  for (std::size_t i = 0; i < meta.num_outputs(); ++i) {
    const auto info = meta.output_tensor_meta(i);
    if (!info.ok() || info->is_memory_planned()) continue;
    output_memory_[i].resize(info->nbytes());
    if (method_->set_output_data_ptr(output_memory_[i].data(), output_memory_[i].size(), i) != Error::Ok) {
      throw UserError("output " + std::to_string(i) + " takes no memory" + runtime_error_text(), "in " + path_,
                      kExport);
    }
  }
}

void LoadedMethod::set_inputs(std::vector<std::vector<std::uint8_t>>& inputs, const std::vector<TensorSpec>& specs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto& spec = specs[i];
    auto sizes = spec.shape;
    auto order = spec.dim_order;
    std::vector<executorch::aten::StridesType> strides(sizes.size());
    const auto ordered =
        executorch::runtime::dim_order_to_stride(sizes.data(), order.data(), sizes.size(), strides.data());
    executorch::aten::TensorImpl tensor(spec.type, static_cast<ssize_t>(sizes.size()), sizes.data(),
                                        inputs[i].data(), order.data(), strides.data());
    if (ordered != Error::Ok || method_->set_input(EValue(executorch::aten::Tensor(&tensor)), i) != Error::Ok) {
      throw MeasurementError(path_ + ": input " + std::to_string(i) + " is refused" + runtime_error_text());
    }
  }
}

void LoadedMethod::execute(unsigned before) {
  const auto error = method_->execute();
  if (error != Error::Ok) {
    const auto after = before == 0 ? "" : ", after " + std::to_string(before) + " that succeeded";
    throw MeasurementError(path_ + ": the execution failed" + after + ", error " + hex(error) + runtime_error_text());
  }
}

std::vector<Output> LoadedMethod::outputs() const {
  std::vector<Output> outputs;
  for (std::size_t i = 0; i < method_->outputs_size(); ++i) {
    const auto& value = method_->get_output(i);
    if (!value.isTensor()) continue; // numbers and None are constants of the export
    const auto tensor = value.toTensor();
    Output output;
    output.spec.type = tensor.scalar_type();
    output.spec.shape.assign(tensor.sizes().begin(), tensor.sizes().end());
    output.spec.dim_order.assign(tensor.dim_order().begin(), tensor.dim_order().end());
    output.bytes = to_c_order(output.spec, static_cast<const std::uint8_t*>(tensor.const_data_ptr()));
    outputs.push_back(std::move(output));
  }
  return outputs;
}

} // namespace runner
