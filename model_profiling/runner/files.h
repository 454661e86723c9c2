// SPDX-License-Identifier: Apache-2.0
// Writing files so that none is ever half written.
#pragma once

#include <cstddef>
#include <string>

namespace runner {

// Writes a neighbor and renames it over `path`, so that a reader sees all or nothing; what
// is no regular file (a pipe) is written in place. Throws UserError when that fails.
void write_file(const std::string& path, const void* data, std::size_t size);

// Creates the folder with its parents; throws UserError when that fails.
void make_folder(const std::string& path);

// Throws UserError now rather than after the measurement when `path` cannot be written.
void require_writable(const std::string& path);

} // namespace runner
