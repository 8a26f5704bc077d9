// The files that the server gives, and takes: folders under prefixes, uploads that are there whole
// or not at all.
//
//   Result<Folders> folders = Folders::of({{"/harness/", "study/harness"}});
//   Checked<File> file = folders->open("/harness/run.html");
//
// The longest prefix that fits is taken. A path that ends in a slash is the index.html there;
// nothing lists a folder. No part of a path may begin with a dot, so there is no way up and nothing
// hidden. Links are followed, but only to a file that is in one of the folders, whichever: npm's
// workspaces are links from node_modules/ into study/subjects/.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "serve/api.h"

namespace fjord::study {

/// "text/javascript" for "run.js": by the end of the name.
std::string mediaType(std::string_view path);
/// Texts are UTF-8, and have to say so: some libraries (keras-js, brain.js) break otherwise.
std::string withCharset(std::string type);

/// A regular file, open for reading.
class File {
 public:
  static Checked<File> open(const std::string& path);
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  /// Bytes, when it was opened.
  uint64_t size() const { return size_; }
  const std::string& type() const { return type_; }
  /// Another one once the file has changed: an ETag, with its quotes.
  const std::string& tag() const { return tag_; }
  /// Up to `most` bytes from `offset` on; "" at the end, or where it cannot be read any more.
  std::string read(uint64_t offset, size_t most) const;

 private:
  File() = default;
  int descriptor_ = -1;
  uint64_t size_ = 0;
  std::string type_, tag_;
};

class Folders {
 public:
  /// Prefixes begin and end in a slash; a folder that does not exist is an error.
  static Result<Folders> of(const std::map<std::string, std::string>& folders);

  /// `path` is decoded. 404 for all that is not a file in the folders, 500 for a file that cannot
  /// be read.
  Checked<File> open(std::string_view path) const;

 private:
  std::vector<std::pair<std::string, std::string>> roots_;  // the longest prefixes first
};

/// A file on its way in: under a hidden name until it is whole.
class Upload {
 public:
  /// `name` is SUBJECT/FAMILY/SIZE/NAME; 400 where it is something else.
  static Checked<Upload> begin(const std::string& folder, std::string_view name);
  Upload(Upload&& other) noexcept;
  Upload& operator=(Upload&&) = delete;
  /// Removes what was not kept.
  ~Upload();

  /// Where to write; it belongs to the caller.
  int descriptor() const { return descriptor_; }
  /// Gives it its name; true where there was no such file before.
  Checked<bool> keep();

 private:
  Upload() = default;
  int descriptor_ = -1;
  std::string hidden_, name_;
};

/// 507 where the disk is full, 500 otherwise; `error` is an errno.
Fault writeFault(int error);

}  // namespace fjord::study
