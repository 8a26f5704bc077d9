#include "testing/goldens.h"

#include <gtest/gtest.h>

#include <cstdio>

namespace fjord::testing {

Goldens::Goldens(std::string_view name) {
  std::string path = cat(FJORD_GOLDENS, "/", name, ".safetensors");
  std::FILE* in = std::fopen(path.c_str(), "rb");
  EXPECT_NE(in, nullptr) << path;
  if (!in) return;
  std::byte chunk[4096];
  while (size_t n = std::fread(chunk, 1, sizeof chunk, in))
    bytes_.insert(bytes_.end(), chunk, chunk + n);
  std::fclose(in);
  Result<Safetensors> file = readSafetensors(bytes_);
  EXPECT_TRUE(file) << path << ": " << file.error().message;
  if (!file) return;
  file_ = std::move(*file);
  Result<Json> list = parseJson(file_.text("cases"));
  EXPECT_TRUE(list && list->is_array() && !list->empty()) << path << " holds no cases";
  if (list) cases = std::move(*list);
}

Tensor Goldens::tensor(const Json& name) const {
  const StoredTensor* stored = name.is_string() ? file_.find(name.get<std::string>()) : nullptr;
  EXPECT_NE(stored, nullptr) << "no tensor " << name.dump();
  return stored ? *stored->load() : Tensor();
}

}  // namespace fjord::testing
