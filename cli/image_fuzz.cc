// Any bytes are read as a picture or refused, and what is read can be brought to another size. The
// checksum of PNG's chunks would keep mutated pictures out, so the bytes are also taken for the
// header, the palette and the filtered rows of a PNG that is packed around them.
#include <zlib.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "image.h"

using namespace fjord;

namespace {

void read(const std::string& file) {
  Result<Tensor> picture = cli::readImage(std::as_bytes(std::span(file)));
  if (!picture) return picture.error().message.empty() ? std::abort() : void();
  for (float x : picture->span<float>()) {
    if (!(x >= 0 && x <= 1)) std::abort();
  }
  for (int32_t channels : {1, 3}) {
    Result<Tensor> fitted = cli::fitImage(*picture, 5, 7, channels);
    if (!fitted || fitted->shape() != Shape{5, 7, channels}) std::abort();
    for (float x : fitted->span<float>()) {
      if (!(x >= -1e-4f && x <= 1 + 1e-4f)) std::abort();
    }
  }
}

std::string word(uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

std::string chunk(const std::string& kind, const std::string& data) {
  std::string body = kind + data;
  auto sum = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return word(static_cast<uint32_t>(data.size())) + body + word(static_cast<uint32_t>(sum));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  std::string text(reinterpret_cast<const char*>(bytes), size);
  read(text);
  // Width, height, depth, colour type, number of palette entries; then those and the rows.
  constexpr size_t kHead = 5;
  if (size < kHead) return 0;
  std::string header = word(bytes[0]) + word(bytes[1]) + text.substr(2, 2) + std::string(3, '\0');
  std::string palette = text.substr(kHead, size_t{bytes[4]} * 3);
  std::string rows = text.substr(kHead + palette.size());
  std::string packed(compressBound(rows.size()), '\0');
  uLongf length = packed.size();
  compress2(reinterpret_cast<Bytef*>(packed.data()), &length,
            reinterpret_cast<const Bytef*>(rows.data()), rows.size(), 1);
  packed.resize(length);
  read("\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + chunk("PLTE", palette) +
       chunk("tRNS", palette.substr(0, palette.size() / 3)) + chunk("IDAT", packed) +
       chunk("IEND", ""));
  return 0;
}
