#include "plan/text.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

namespace fjord::study {

namespace {

/// The characters of the paper's text, a translation of Nietzsche, as they come in it for the first time.
constexpr std::string_view kAlphabet =
    "PREFAC\nSUOING thaTruiswomn-e?gdfpcl,yvbk;!.BzWH:(j)\"VL'DYKqMxJ18523_46790QX[]Zä=æëéÆ";
/// Its file has these as what their bytes are in the encoding of Windows.
constexpr std::pair<std::string_view, std::string_view> kMisread[] = {
    {"Ã¤", "ä"}, {"Ã¦", "æ"}, {"Ã«", "ë"}, {"Ã©", "é"}, {"Ã†", "Æ"}};
constexpr size_t kStride = 3, kScatter = 7919;  // as in TensorFlow.js's example; a prime

/// Bytes of the character at the beginning of a text in UTF-8.
size_t lengthOf(std::string_view text) {
  size_t length = 1;
  while (length < text.size() && (static_cast<uint8_t>(text[length]) & 0xc0) == 0x80) ++length;
  return length;
}

/// Takes a character off the beginning of a text.
std::string_view take(std::string_view& text) {
  for (const auto& [read, meant] : kMisread) {
    if (!text.starts_with(read)) continue;
    text.remove_prefix(read.size());
    return meant;
  }
  std::string_view character = text.substr(0, lengthOf(text));
  text.remove_prefix(character.size());
  return character;
}

std::map<std::string_view, char> numbersOfCharacters() {
  std::map<std::string_view, char> numbers;
  for (std::string_view rest = kAlphabet; !rest.empty();)
    numbers.emplace(take(rest), static_cast<char>(numbers.size()));
  return numbers;
}

}  // namespace

Result<std::string> sequences(const std::string& path, int first, int count) {
  std::error_code error;
  std::string text;
  if (std::filesystem::is_regular_file(path, error)) {
    std::ifstream file(path, std::ios::binary);
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  if (text.empty())
    return fail("cannot read the text ", path,
                ": run ./dev setup for Moby-Dick, or name another file with --corpus");
  static const std::map<std::string_view, char> kNumbers = numbersOfCharacters();
  std::string numbers;
  for (std::string_view rest = text; !rest.empty();) {
    auto found = kNumbers.find(take(rest));
    numbers += found == kNumbers.end() ? kNumbers.at(" ") : found->second;
  }
  size_t needed = kSequence + 1;
  if (numbers.size() < needed + kStride)
    return fail(path, " has ", numbers.size(), " characters, and ", needed + kStride,
                " are needed at least: name a longer text with --corpus");
  size_t beginnings = (numbers.size() - needed) / kStride;
  if (first < 0 || count < 1)
    return fail("sequences ", first, " to ", int64_t{first} + count - 1, ": they begin with 0");
  std::string out, next;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    size_t at = kStride * (kScatter * (static_cast<size_t>(first) + i) % beginnings);
    out += numbers.substr(at, kSequence);
    next += numbers[at + kSequence];
  }
  return out + next;
}

}  // namespace fjord::study
