#include "files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace fjord::cli {

namespace {

/// A descriptor that closes itself.
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) close(number);
  }
};

std::string reason() { return std::strerror(errno); }

Result<std::string> readRaw(const std::string& path) {
  Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat info = {};
  if (file.number < 0 || fstat(file.number, &info) != 0) return fail(path, ": ", reason());
  if (S_ISDIR(info.st_mode)) return fail(path, ": is a folder; a file is needed");
  std::string bytes;
  size_t size = 0;
  for (;;) {
    // The size is a guess: a pipe has none, and a file can grow.
    if (size == bytes.size())
      bytes.resize(std::max<size_t>(size * 2, static_cast<size_t>(info.st_size) + 4096));
    ssize_t count = read(file.number, bytes.data() + size, bytes.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(path, ": ", reason());
    if (count == 0) break;
    size += static_cast<size_t>(count);
  }
  bytes.resize(size);
  return bytes;
}

/// All members of a gzip file, one after the other.
Result<std::string> unzip(const std::string& path, const std::string& packed) {
  // A file of zeros unpacks to a thousand times its size; no data set comes near this.
  constexpr size_t kMaxBytes = size_t{8} << 30;
  z_stream stream = {};
  // 16 asks for gzip's header.
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return fail(path, ": zlib does not start");
  std::string out;
  size_t read = 0;
  int status = Z_OK;
  while (status == Z_OK && out.size() < kMaxBytes) {
    constexpr size_t kStep = size_t{1} << 20;
    size_t before = out.size(), take = std::min(kStep, packed.size() - read);
    out.resize(before + kStep);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + read));
    stream.avail_in = static_cast<uInt>(take);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(kStep);
    status = inflate(&stream, Z_NO_FLUSH);
    read += take - stream.avail_in;
    out.resize(before + kStep - stream.avail_out);
    if (status == Z_STREAM_END && packed.compare(read, 2, "\x1f\x8b") == 0)
      status = inflateReset(&stream);
  }
  inflateEnd(&stream);
  if (status == Z_STREAM_END) return out;
  if (status == Z_OK) return fail(path, ": unpacks to more than ", kMaxBytes, " bytes");
  return fail(path, status == Z_BUF_ERROR ? ": the gzip file is truncated; fetch it again"
                                          : ": the gzip file is damaged; fetch it again");
}

std::string temporaryFor(const std::string& path) { return cat(path, ".partial-", getpid()); }

/// The first error wins; errno is that of the call that failed.
bool writeAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return fsync(file) == 0;
}

}  // namespace

Result<std::string> readFile(const std::string& path) {
  FJORD_TRY(std::string bytes, readRaw(path));
  if (bytes.starts_with("\x1f\x8b")) return unzip(path, bytes);
  return bytes;
}

Status checkWritable(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode))
    return fail(path, ": is a folder; name a file in it");
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  if (access(folder.c_str(), W_OK) != 0)
    return fail(path, ": the folder ", folder, " cannot be written to: ", reason());
  return {};
}

Status writeFile(const std::string& path, std::string_view bytes) {
  std::string temporary = temporaryFor(path);
  Descriptor file{open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
  if (file.number < 0) return fail(temporary, ": ", reason());
  if (!writeAll(file.number, bytes) || rename(temporary.c_str(), path.c_str()) != 0) {
    std::string why = reason();
    unlink(temporary.c_str());
    bool existed = access(path.c_str(), F_OK) == 0;
    return fail(path, ": could not be written: ", why, existed ? "; the file is as it was" : "");
  }
  // The new name, too, is to outlast a power cut; where a folder cannot be synced, the file stands.
  std::string folder = std::filesystem::path(path).parent_path().string();
  Descriptor parent{open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC)};
  if (parent.number >= 0) fsync(parent.number);
  return {};
}

std::unexpected<Error> failAt(const std::string& path, const Error& error) {
  return fail(path, ": ", error.message);
}

}  // namespace fjord::cli
