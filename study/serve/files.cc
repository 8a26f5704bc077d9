#include "serve/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace fjord::study {

namespace fs = std::filesystem;

// ---- media types

std::string mediaType(std::string_view path) {
  constexpr std::pair<std::string_view, const char*> kTypes[] = {
      {".html", "text/html"},        {".js", "text/javascript"},   {".mjs", "text/javascript"},
      {".css", "text/css"},          {".txt", "text/plain"},       {".md", "text/plain"},
      {".json", "application/json"}, {".map", "application/json"}, {".svg", "image/svg+xml"},
      {".wasm", "application/wasm"}, {".png", "image/png"},        {".ico", "image/x-icon"},
  };
  for (auto [end, type] : kTypes)
    if (path.ends_with(end)) return type;
  return "application/octet-stream";
}

std::string withCharset(std::string type) {
  bool text = type.starts_with("text/") || type == "application/json" || type == "image/svg+xml";
  return text && type.find(';') == std::string::npos ? type + "; charset=utf-8" : type;
}

// ---- reading

Checked<File> File::open(const std::string& path) {
  File file;
  // Not blocking: a pipe would wait for somebody who writes.
  file.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat about;
  if (file.descriptor_ < 0 || fstat(file.descriptor_, &about) != 0)
    return std::unexpected(Fault{500, cat("cannot be read: ", std::strerror(errno)), ""});
  if (!S_ISREG(about.st_mode)) return std::unexpected(Fault{404, "is not a file", ""});
  file.size_ = static_cast<uint64_t>(about.st_size);
  file.type_ = mediaType(path);
  file.tag_ = cat('"', about.st_mtim.tv_sec, '-', about.st_mtim.tv_nsec, '-', about.st_size, '"');
  return file;
}

File::File(File&& other) noexcept { *this = std::move(other); }
File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(type_, other.type_);
  std::swap(tag_, other.tag_);
  return *this;
}
File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string File::read(uint64_t offset, size_t most) const {
  std::string out;
  out.resize_and_overwrite(most, [&](char* data, size_t size) {
    ssize_t count;
    do {
      count = pread(descriptor_, data, size, static_cast<off_t>(offset));
    } while (count < 0 && errno == EINTR);
    return count > 0 ? static_cast<size_t>(count) : 0;
  });
  return out;
}

Result<Folders> Folders::of(const std::map<std::string, std::string>& folders) {
  Folders out;
  for (const auto& [prefix, folder] : folders) {
    if (!prefix.starts_with('/') || !prefix.ends_with('/'))
      return fail("serve: the prefix ", prefix, " does not begin and end in a slash");
    std::error_code error;
    fs::path real = fs::canonical(folder, error);
    if (error || !fs::is_directory(real, error))
      return fail("serve: ", prefix, " is to be the folder ", folder, ", which does not exist");
    out.roots_.emplace_back(prefix, real.string());
  }
  std::ranges::sort(out.roots_, std::greater{}, [](auto& root) { return root.first.size(); });
  return out;
}

namespace {

/// Whether each part of "a/b/c" is something, and none is hidden.
bool isPlain(std::string_view path) {
  for (;;) {
    if (path.empty() || path[0] == '/' || path[0] == '.') return false;
    size_t slash = path.find('/');
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

bool isInside(const std::string& path, const std::string& folder) {
  return path.starts_with(folder) && (folder.ends_with('/') || path[folder.size()] == '/');
}

}  // namespace

Checked<File> Folders::open(std::string_view path) const {
  auto missing = [&] {
    return std::unexpected(Fault{404, cat("there is no ", path.substr(0, 200)), ""});
  };
  auto root = std::ranges::find_if(roots_, [&](auto& r) { return path.starts_with(r.first); });
  if (root == roots_.end()) return missing();
  std::string rest(path.substr(root->first.size()));
  if (rest.empty() || rest.ends_with('/')) rest += "index.html";
  if (!isPlain(rest)) return missing();
  std::error_code error;
  std::string real = fs::canonical(fs::path(root->second) / rest, error).string();
  auto holds = [&](auto& r) { return isInside(real, r.second); };
  if (error || std::ranges::none_of(roots_, holds)) return missing();
  Checked<File> file = File::open(real);
  if (!file && file.error().status == 404) return missing();
  return file;
}

// ---- writing

Fault writeFault(int error) {
  bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return {full ? 507 : 500, cat("the file cannot be written: ", std::strerror(error)), ""};
}

Checked<Upload> Upload::begin(const std::string& folder, std::string_view name) {
  size_t first = name.find('/'), last = name.rfind('/');
  std::optional<Workload> workload;
  if (first < last) workload = workloadOf(name.substr(first + 1, last - first - 1));
  bool good = workload && workload->name().size() == last - first - 1;  // its family is there
  if (!good || !isName(name.substr(0, first)) || !isName(name.substr(last + 1)))
    return std::unexpected(Fault{400,
                                 "files have paths such as /files/tfjs/dense/2x128/model.json: a "
                                 "subject, a workload, a name",
                                 ""});
  Upload out;
  out.name_ = cat(folder, "/", name);
  out.hidden_ = cat(folder, "/", name.substr(0, last), "/.upload-XXXXXX");
  std::error_code error;
  fs::create_directories(fs::path(out.name_).parent_path(), error);
  if (!error) {
    out.descriptor_ = mkostemp(out.hidden_.data(), O_CLOEXEC);
    if (out.descriptor_ >= 0) return out;
    error = {errno, std::generic_category()};
  }
  out.hidden_.clear();
  return std::unexpected(writeFault(error.value()));
}

Upload::Upload(Upload&& other) noexcept
    : descriptor_(other.descriptor_),
      hidden_(std::exchange(other.hidden_, "")),
      name_(std::move(other.name_)) {}

Upload::~Upload() {
  if (!hidden_.empty()) ::unlink(hidden_.c_str());
}

Checked<bool> Upload::keep() {
  bool fresh = ::access(name_.c_str(), F_OK) != 0;
  if (::rename(hidden_.c_str(), name_.c_str()) != 0) return std::unexpected(writeFault(errno));
  hidden_.clear();
  return fresh;
}

}  // namespace fjord::study
