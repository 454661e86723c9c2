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

// Writes to `target`; returns 0 or the error's number.
int write_to(const std::string& target, const void* data, std::size_t size) {
  std::FILE* file = std::fopen(target.c_str(), "wb");
  if (file == nullptr) return errno;
  errno = 0;
  const bool written = (size == 0 || std::fwrite(data, 1, size, file) == size) && std::fflush(file) == 0;
  const int reason = errno;
  if (!written) {
    std::fclose(file);
    return reason != 0 ? reason : EIO;
  }
  return std::fclose(file) == 0 ? 0 : errno;
}

} // namespace

void write_file(const std::string& path, const void* data, std::size_t size) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) { // a pipe or device must not be replaced by a file
    if (const int reason = write_to(path, data, size)) refuse(path, std::strerror(reason));
    return;
  }
  const std::string temporary = path + ".part" + std::to_string(getpid());
  int reason = write_to(temporary, data, size);
  if (reason == 0 && std::rename(temporary.c_str(), path.c_str()) == 0) return;
  if (reason == 0) reason = errno;
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
