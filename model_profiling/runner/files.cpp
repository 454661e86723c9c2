// SPDX-License-Identifier: Apache-2.0
#include "files.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "errors.h"

namespace runner {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
  throw UserError("cannot write (" + reason + ")", "to " + path,
                  "free space there, correct its permissions or choose another folder");
}

} // namespace

void write_file(const std::string& path, const void* data, std::size_t size) {
  const std::string temporary = path + ".part" + std::to_string(getpid());
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (file == nullptr) refuse(path, std::strerror(errno));
  errno = 0;
  const bool written = (size == 0 || std::fwrite(data, 1, size, file) == size) && std::fflush(file) == 0;
  int reason = errno;
  if (std::fclose(file) == 0 && written && std::rename(temporary.c_str(), path.c_str()) == 0) return;
  if (written) reason = errno;
  std::remove(temporary.c_str());
  refuse(path, std::strerror(reason));
}

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error || !fs::is_directory(path)) refuse(path, error ? error.message() : "it is not a folder");
}

void require_writable(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  if (fs::is_directory(path)) refuse(path, "it is a folder");
  const std::string folder = parent.empty() ? "." : parent.string();
  if (!fs::is_directory(folder)) refuse(path, "its folder does not exist");
  if (access(folder.c_str(), W_OK) != 0) refuse(path, std::strerror(errno));
}

} // namespace runner
