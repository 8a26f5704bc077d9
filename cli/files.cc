#include "files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>

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

// ---- where a path leads

/// What a path leads to.
struct Place {
  std::string path;     // behind all symbolic links
  int descriptor = -1;  // one of this program's own, such as that of /dev/stdout
};

/// The number of N in /proc/self/fd/N, where /dev/stdin, /dev/stdout and /dev/fd lead; or -1.
int descriptorIn(const std::string& path) {
  for (const std::string& folder :
       {std::string("/proc/self/fd/"), cat("/proc/", getpid(), "/fd/"), std::string("/dev/fd/")}) {
    if (!path.starts_with(folder)) continue;
    int number = -1;
    const char* end = path.data() + path.size();
    auto [stop, error] = std::from_chars(path.data() + folder.size(), end, number);
    if (error == std::errc() && stop == end) return number;
  }
  return -1;
}

/// `standard` is what "-" stands for.
Result<Place> follow(const std::string& path, int standard) {
  if (path == "-") return Place{path, standard};
  const std::filesystem::path start = path;
  std::filesystem::path at = start;
  // As many as Linux follows.
  constexpr int kMostLinks = 40;
  for (int i = 0; i < kMostLinks; ++i) {
    if (int number = descriptorIn(at.string()); number >= 0) return Place{path, number};
    std::error_code none;
    std::filesystem::path next = std::filesystem::read_symlink(at, none);
    // Where a link leads to what has no name, such as another program's pipe, the link is its name.
    if (none) return Place{exists(at, none) || !exists(start, none) ? at.string() : path};
    at = next.is_absolute() ? next : at.parent_path() / next;
  }
  return fail(path, ": ", std::strerror(ELOOP));
}

/// A descriptor of this program is read as it is: what is behind it may have no name to open.
Result<int> openToRead(const std::string& path) {
  FJORD_TRY(Place place, follow(path, STDIN_FILENO));
  if (place.descriptor < 0) return open(place.path.c_str(), O_RDONLY | O_CLOEXEC);
  static std::set<int> wereRead;
  if (!wereRead.insert(place.descriptor).second)
    return fail(path, ": has been read already for another argument; a pipe gives its bytes once");
  return dup(place.descriptor);
}

Result<std::string> readRaw(const std::string& path) {
  FJORD_TRY(int number, openToRead(path));
  Descriptor file{number};
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

std::string folderOf(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

/// Whether a path leads to what holds no bytes: a pipe, a terminal, a device.
bool isStream(const Place& place) {
  struct stat info = {};
  return place.descriptor >= 0 || (stat(place.path.c_str(), &info) == 0 &&
                                   (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode)));
}

/// The first error wins; errno is that of the call that failed.
bool writeAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

/// Into what is there, which stays what it is.
Status writeInto(const std::string& path, const Place& place, std::string_view bytes) {
  Descriptor file{place.descriptor >= 0 ? dup(place.descriptor)
                                        : open(place.path.c_str(), O_WRONLY | O_CLOEXEC)};
  // Whoever reads may leave: that is an error of the call, not the end of the program.
  auto before = std::signal(SIGPIPE, SIG_IGN);
  bool isWritten = file.number >= 0 && writeAll(file.number, bytes);
  std::string why = reason();
  std::signal(SIGPIPE, before);
  if (!isWritten) return fail(path, ": could not be written: ", why);
  return {};
}

}  // namespace

Result<std::string> readFile(const std::string& path) {
  FJORD_TRY(std::string bytes, readRaw(path));
  if (bytes.starts_with("\x1f\x8b")) return unzip(path, bytes);
  return bytes;
}

bool isStream(const std::string& path) {
  Result<Place> place = follow(path, STDOUT_FILENO);
  return place && isStream(*place);
}

bool isStandardOutput(const std::string& path) {
  Result<Place> place = follow(path, STDOUT_FILENO);
  return place && place->descriptor == STDOUT_FILENO;
}

Status checkWritable(const std::string& path) {
  FJORD_TRY(Place place, follow(path, STDOUT_FILENO));
  if (place.descriptor >= 0) {
    if (fcntl(place.descriptor, F_GETFD) < 0) return fail(path, ": ", reason());
    return {};
  }
  struct stat info = {};
  bool exists = stat(place.path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) return fail(path, ": is a folder; name a file in it");
  bool isStream = S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode);
  if (exists && !isStream && !S_ISREG(info.st_mode))
    return fail(path, ": is a ", S_ISSOCK(info.st_mode) ? "socket" : "disk", "; name a file");
  if (exists && access(place.path.c_str(), W_OK) != 0)
    return fail(path, ": cannot be written to: ", reason());
  std::string folder = folderOf(place.path);
  // The dot asks whether it is a folder.
  if (!isStream && access((folder + "/.").c_str(), W_OK) != 0)
    return fail(path, ": the folder ", folder, " cannot be written to: ", reason());
  return {};
}

Status writeFile(const std::string& path, std::string_view bytes) {
  FJORD_CHECK(checkWritable(path));
  FJORD_TRY(Place place, follow(path, STDOUT_FILENO));
  if (isStream(place)) return writeInto(path, place, bytes);
  struct stat old = {};
  bool existed = stat(place.path.c_str(), &old) == 0;
  // A short name: that of the file may be as long as names can be.
  std::string folder = folderOf(place.path);
  std::string temporary = cat(folder, "/.fjord-", getpid(), ".partial");
  unlink(temporary.c_str());  // of a process of the same number that was killed
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  Descriptor file{open(temporary.c_str(), kFlags, 0666)};
  bool isWritten = file.number >= 0 && writeAll(file.number, bytes) &&
                   (!existed || fchmod(file.number, old.st_mode & 07777) == 0) &&
                   fsync(file.number) == 0 && rename(temporary.c_str(), place.path.c_str()) == 0;
  if (!isWritten) {
    std::string why = reason();
    if (file.number >= 0) unlink(temporary.c_str());
    return fail(path, ": could not be written: ", why, existed ? "; the file is as it was" : "");
  }
  // The new name, too, is to outlast a power cut; where a folder cannot be synced, the file stands.
  Descriptor parent{open(folder.c_str(), O_RDONLY | O_CLOEXEC)};
  if (parent.number >= 0) fsync(parent.number);
  return {};
}

std::unexpected<Error> failAt(const std::string& path, const Error& error) {
  return fail(path, ": ", error.message);
}

}  // namespace fjord::cli
