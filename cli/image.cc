#include "image.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <string>

namespace fjord::cli {

namespace {

constexpr int kChannels = 3;
constexpr int32_t kMaxSide = 8192;

uint8_t byteAt(std::span<const std::byte> bytes, size_t i) {
  return static_cast<uint8_t>(bytes[i]);
}

Status checkSize(int64_t height, int64_t width) {
  if (height >= 1 && width >= 1 && height <= kMaxSide && width <= kMaxSide) return {};
  return fail("a picture of ", width, " x ", height, " pixels; 1 to ", kMaxSide, " are read");
}

// ---- PNG (www.w3.org/TR/png-3)

struct Png {
  uint32_t width = 0, height = 0;
  int depth = 0, color = 0;
  std::vector<uint8_t> palette, alpha;  // rgb of each entry; opacity of the first ones
  std::string packed;

  static constexpr int kPalette = 3, kRgbAlpha = 6;
  int samples() const {
    constexpr int kSamples[] = {1, 0, 3, 1, 2, 0, 4};
    return kSamples[color];
  }
  size_t rowBytes() const { return (size_t{width} * samples() * depth + 7) / 8; }
};

uint32_t wordAt(std::span<const std::byte> bytes, size_t at) {
  uint32_t word = 0;
  for (size_t i = 0; i < 4; ++i) word = word << 8 | byteAt(bytes, at + i);
  return word;
}

Status readHeader(std::span<const std::byte> chunk, Png& png) {
  if (chunk.size() != 13) return fail("PNG: the header has ", chunk.size(), " bytes, not 13");
  png.width = wordAt(chunk, 0);
  png.height = wordAt(chunk, 4);
  png.depth = byteAt(chunk, 8);
  png.color = byteAt(chunk, 9);
  FJORD_CHECK(checkSize(png.height, png.width));
  // The depths that each type of colour may have.
  constexpr uint32_t kDepths[] = {1 | 2 | 4 | 8 | 16, 0, 8 | 16, 1 | 2 | 4 | 8, 8 | 16, 0, 8 | 16};
  bool known = png.color <= Png::kRgbAlpha && std::has_single_bit(unsigned(png.depth)) &&
               (kDepths[png.color] & static_cast<uint32_t>(png.depth));
  if (!known) return fail("PNG: colour type ", png.color, " of depth ", png.depth, " is not known");
  if (byteAt(chunk, 12) != 0)
    return fail("PNG: an interlaced picture; save it without interlacing");
  return {};
}

Result<Png> readChunks(std::span<const std::byte> file) {
  constexpr size_t kSignature = 8, kAround = 12;
  Png png;
  for (size_t at = kSignature;;) {
    if (file.size() - at < kAround || wordAt(file, at) > file.size() - at - kAround)
      return fail("PNG: the file is truncated");
    size_t length = wordAt(file, at);
    auto name = file.subspan(at + 4, 4), chunk = file.subspan(at + 8, length);
    std::string_view kind(reinterpret_cast<const char*>(name.data()), 4);
    auto sum = crc32(0, reinterpret_cast<const Bytef*>(name.data()), static_cast<uInt>(length + 4));
    if (sum != wordAt(file, at + 8 + length)) return fail("PNG: the file is damaged in ", kind);
    if ((kind == "IHDR") != (at == kSignature)) return fail("PNG: the header is not first");
    if (kind == "IHDR") FJORD_CHECK(readHeader(chunk, png));
    auto* bytes = reinterpret_cast<const uint8_t*>(chunk.data());
    if (kind == "PLTE") png.palette.assign(bytes, bytes + length / 3 * 3);
    if (kind == "tRNS") png.alpha.assign(bytes, bytes + length);
    if (kind == "IDAT") png.packed.append(bytes, bytes + length);
    if (kind == "IEND") return png;
    at += kAround + length;
  }
}

/// Undoes the filter of a row: each byte was written as the difference to a guess from the bytes to
/// the left, above, and above left (section 9 of the standard).
Status unfilter(int filter, std::span<uint8_t> row, std::span<const uint8_t> above, size_t pixel) {
  if (filter > 4) return fail("PNG: filter ", filter, " is not known");
  for (size_t i = 0; i < row.size(); ++i) {
    int left = i >= pixel ? row[i - pixel] : 0, up = above[i],
        corner = i >= pixel ? above[i - pixel] : 0;
    int nearest = left + up - corner;
    int toLeft = std::abs(nearest - left), toUp = std::abs(nearest - up),
        toCorner = std::abs(nearest - corner);
    int paeth = toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
    const int guesses[] = {0, left, up, (left + up) / 2, paeth};
    row[i] = static_cast<uint8_t>(row[i] + guesses[filter]);
  }
  return {};
}

/// Sample number i of a row, of the most that its depth has.
int sampleAt(const Png& png, const uint8_t* row, size_t i) {
  if (png.depth == 16) return row[2 * i] << 8 | row[2 * i + 1];
  size_t bit = i * static_cast<size_t>(png.depth);
  return row[bit / 8] >> (8 - png.depth - bit % 8) & ((1 << png.depth) - 1);
}

/// A pixel laid on white. (Of the transparency of one colour, tRNS without a palette, no use is
/// made: the colour is shown.)
Status putPixel(const Png& png, const uint8_t* row, size_t x, float* out) {
  auto samples = static_cast<size_t>(png.samples());
  auto most = static_cast<float>((1 << png.depth) - 1);
  float color[kChannels], opacity = 1;
  if (png.color == Png::kPalette) {
    auto index = static_cast<size_t>(sampleAt(png, row, x));
    if (index * 3 >= png.palette.size()) return fail("PNG: a colour outside the palette");
    for (size_t c = 0; c < kChannels; ++c) color[c] = png.palette[index * 3 + c] / 255.0f;
    if (index < png.alpha.size()) opacity = png.alpha[index] / 255.0f;
  } else {
    bool hasColor = samples >= kChannels;
    for (size_t c = 0; c < kChannels; ++c)
      color[c] = sampleAt(png, row, x * samples + (hasColor ? c : 0)) / most;
    if (samples == 2 || samples == 4)
      opacity = sampleAt(png, row, x * samples + samples - 1) / most;
  }
  for (int c = 0; c < kChannels; ++c) out[c] = color[c] * opacity + (1 - opacity);
  return {};
}

Result<Tensor> readPng(std::span<const std::byte> file) {
  FJORD_TRY(Png png, readChunks(file));
  size_t rowBytes = png.rowBytes();
  std::vector<uint8_t> rows((rowBytes + 1) * png.height);
  uLongf size = rows.size();
  int status = uncompress(rows.data(), &size, reinterpret_cast<const Bytef*>(png.packed.data()),
                          png.packed.size());
  if (status != Z_OK || size != rows.size()) return fail("PNG: the pixels are damaged");
  auto height = static_cast<int32_t>(png.height), width = static_cast<int32_t>(png.width);
  FJORD_TRY(Tensor out, Tensor::empty({DType::kF32, {height, width, kChannels}}));
  std::vector<uint8_t> none(rowBytes);
  std::span<const uint8_t> above = none;
  auto pixel = static_cast<size_t>(std::max(1, png.samples() * png.depth / 8));
  for (size_t y = 0; y < png.height; ++y) {
    uint8_t* row = rows.data() + y * (rowBytes + 1);
    FJORD_CHECK(unfilter(row[0], {row + 1, rowBytes}, above, pixel));
    above = {row + 1, rowBytes};
    for (size_t x = 0; x < png.width; ++x)
      FJORD_CHECK(putPixel(png, row + 1, x, out.data<float>() + (y * png.width + x) * kChannels));
  }
  return out;
}

// ---- PGM and PPM (netpbm.sourceforge.net/doc/pgm.html)

Result<Tensor> readNetpbm(std::span<const std::byte> file) {
  size_t at = 2;
  auto isSpace = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  auto peek = [&] { return at < file.size() ? static_cast<char>(file[at]) : '\0'; };
  auto number = [&] {
    while (isSpace(peek()) || peek() == '#') {
      bool isComment = peek() == '#';
      while (isComment && at < file.size() && peek() != '\n') ++at;
      ++at;
    }
    int64_t value = -1;
    for (; peek() >= '0' && peek() <= '9' && value < INT32_MAX; ++at)
      value = std::max<int64_t>(value, 0) * 10 + (peek() - '0');
    return value;
  };
  bool isColor = byteAt(file, 1) == '6';
  int64_t width = number(), height = number(), most = number();
  FJORD_CHECK(checkSize(height, width));
  if (most < 1 || most > 65535 || !isSpace(peek())) return fail("PGM: the header is damaged");
  ++at;
  size_t samples = isColor ? kChannels : 1, bytes = most > 255 ? 2 : 1;
  auto count = static_cast<size_t>(height * width);
  if (file.size() - at < count * samples * bytes) return fail("PGM: the file is truncated");
  FJORD_TRY(
      Tensor out,
      Tensor::empty(
          {DType::kF32, {static_cast<int32_t>(height), static_cast<int32_t>(width), kChannels}}));
  for (size_t i = 0; i < count * kChannels; ++i) {
    size_t from = at + (isColor ? i : i / kChannels) * bytes;
    int value = bytes == 2 ? byteAt(file, from) << 8 | byteAt(file, from + 1) : byteAt(file, from);
    if (value > most)
      return fail("PGM: a pixel of ", value, " where ", most, " is the most; the file is damaged");
    out.data<float>()[i] = static_cast<float>(value) / static_cast<float>(most);
  }
  return out;
}

}  // namespace

Result<Tensor> readImage(std::span<const std::byte> file) {
  std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (text.starts_with("\x89PNG\r\n\x1a\n")) return readPng(file);
  if (text.starts_with("P5") || text.starts_with("P6")) return readNetpbm(file);
  return fail("is neither PNG nor PGM or PPM; convert it to one of them");
}

Result<Tensor> fitImage(const Tensor& picture, int32_t height, int32_t width, int32_t channels) {
  if (channels != 1 && channels != kChannels)
    return fail("the model takes pictures of ", channels,
                " channels, the command line reads 1 or 3");
  // Brightness as in ITU-R BT.601.
  constexpr float kBrightness[] = {0.299f, 0.587f, 0.114f};
  int32_t fromHeight = picture.shape()[0], fromWidth = picture.shape()[1];
  FJORD_TRY(Tensor out, Tensor::zeros({DType::kF32, {height, width, channels}}));
  double rowStep = double(fromHeight) / height, columnStep = double(fromWidth) / width;
  // The length of [i, i + 1] that lies in [begin, end].
  auto overlap = [](int i, double begin, double end) {
    return std::max(0.0, std::min(end, i + 1.0) - std::max(begin, double(i)));
  };
  for (int32_t y = 0; y < height; ++y) {
    for (int32_t x = 0; x < width; ++x) {
      double top = y * rowStep, bottom = top + rowStep, left = x * columnStep,
             right = left + columnStep;
      float* to = out.data<float>() + (int64_t{y} * width + x) * channels;
      for (int i = int(top); i < std::min<double>(fromHeight, bottom); ++i) {
        for (int j = int(left); j < std::min<double>(fromWidth, right); ++j) {
          const float* from = picture.data<float>() + (int64_t{i} * fromWidth + j) * kChannels;
          auto share = static_cast<float>(overlap(i, top, bottom) * overlap(j, left, right) /
                                          (rowStep * columnStep));
          for (int c = 0; c < kChannels; ++c)
            to[channels == 1 ? 0 : c] += from[c] * share * (channels == 1 ? kBrightness[c] : 1);
        }
      }
    }
  }
  return out;
}

}  // namespace fjord::cli
