// Any text is read or refused; what is read is a full table of finite numbers, and reads as the
// same table when it is written anew. The first byte says where the labels are.
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "base/json.h"
#include "io/csv.h"

using namespace fjord;

namespace {

std::string written(const CsvTable& t) {
  auto columns = static_cast<size_t>(t.x.shape()[1]);
  std::string out;
  for (size_t row = 0; row < t.lines.size(); ++row) {
    for (size_t i = 0; i < columns; ++i)
      out += cat(i ? "," : "", t.x.data<float>()[row * columns + i]);
    if (!t.labels.empty()) out += cat(",", csvCell(t.labels[row]));
    out += "\n";
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  constexpr const char* kLabels[] = {"last", "", "b"};
  CsvOptions options{.label = kLabels[bytes[0] % 3]};
  Result<CsvTable> t =
      readCsv(std::string_view(reinterpret_cast<const char*>(bytes) + 1, size - 1), options);
  if (!t) return t.error().message.empty() ? std::abort(), 0 : 0;
  size_t rows = t->lines.size();
  bool labelled = !t->labels.empty();
  if (rows == 0 || static_cast<size_t>(t->x.shape()[0]) != rows) std::abort();
  if (labelled && (t->labels.size() != rows || !classNumbers(*t, classesOf(t->labels))))
    std::abort();
  for (const std::string& label : t->labels) {
    // The JSON library has a UTF-8 check of its own, and ends the program where it fails.
    if (Json(label).dump().empty()) std::abort();
  }
  for (float x : t->x.span<float>()) {
    if (!std::isfinite(x)) std::abort();
  }
  // Names above the data, so that the reader need not guess.
  std::string names;
  for (int32_t i = 0; i < t->x.shape()[1]; ++i) names += i ? ",x" : "x";
  if (labelled) names += ",y";
  Result<CsvTable> again = readCsv(names + "\n" + written(*t), {.label = labelled ? "y" : ""});
  if (!again || again->labels != t->labels || again->x.shape() != t->x.shape()) std::abort();
  for (int64_t i = 0; i < t->x.size(); ++i) {
    if (again->x.data<float>()[i] != t->x.data<float>()[i]) std::abort();
  }
  return 0;
}
