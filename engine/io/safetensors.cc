#include "io/safetensors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/json.h"
#include "base/sort.h"
#include "io/half.h"
#include "io/keras_file.h"

namespace fjord {

namespace {

constexpr size_t kLengthBytes = 8;
constexpr const char* kMetadata = "__metadata__";
/// The reference reader's limit, so that a wrong length cannot ask for memory.
constexpr uint64_t kMaxHeader = 100'000'000;

constexpr StoredType kTypes[] = {
    {"F32", 4, StoredType::kF32},      {"F16", 2, StoredType::kF32},
    {"BF16", 2, StoredType::kF32},     {"F64", 8, StoredType::kF32},
    {"I32", 4, StoredType::kI32},      {"I64", 8, StoredType::kI32},
    {"I16", 2, StoredType::kI32},      {"I8", 1, StoredType::kI32},
    {"U8", 1, StoredType::kI32},       {"U16", 2, StoredType::kI32},
    {"U32", 4, StoredType::kI32},      {"U64", 8, StoredType::kI32},
    {"BOOL", 1, StoredType::kBool},    {"F8_E4M3", 1, StoredType::kNone},
    {"F8_E5M2", 1, StoredType::kNone},
};

const StoredType* findType(std::string_view name) {
  const auto* found = std::ranges::find(kTypes, name, &StoredType::name);
  return found == std::end(kTypes) ? nullptr : found;
}

/// The name of a computed or stored type in the format.
std::string_view storedName(DType type) {
  constexpr std::string_view kNames[] = {"F32", "I32", "BOOL", "F16", "BF16", "I8", "U8"};
  return kNames[static_cast<int>(type)];
}

// ---- reading

/// The header. JSON lets a name stand twice, and a reader that kept one of the two would show what
/// another does not: so that is an error, anywhere in the header.
Result<Json> parseHeader(std::string_view text) {
  std::string twice;
  Result<Json> header = parseJson(text, &twice);
  if (!header || !header->is_object())
    return fail("the header is not a JSON object: ", text.substr(0, 60));
  if (!twice.empty()) return fail("the header has \"", twice, "\" twice");
  return header;
}

Result<StoredTensor> parseTensor(const std::string& name, const Json& entry,
                                 std::span<const std::byte> data) {
  const Json &shape = member(entry, "shape"), &offsets = member(entry, "data_offsets");
  const StoredType* type = findType(stringOr(entry, "dtype", ""));
  if (!type) return fail(name, ": the dtype ", jsonText(member(entry, "dtype")), " is not known");
  if (!shape.is_array() || shape.size() > kMaxRank)
    return fail(name, ": the shape is to be a list of at most ", kMaxRank, " sizes");
  StoredTensor t{name, type, {}, {}};
  // Signed, as the product of a shape's sizes is: what overflows before a zero is too large, too.
  int64_t bytes = type->bytes;
  for (const Json& size : shape) {
    constexpr uint64_t kMaxSize = std::numeric_limits<int32_t>::max();
    if (!size.is_number_unsigned() || size.get<uint64_t>() > kMaxSize)
      return fail(name, ": ", jsonText(size), " in the shape is not a size from 0 to ", kMaxSize);
    t.shape.push(size.get<int32_t>());
    if (__builtin_mul_overflow(bytes, size.get<int64_t>(), &bytes))
      return fail(name, ": the shape ", jsonText(shape), " is too large");
  }
  bool pair = offsets.is_array() && offsets.size() == 2 && offsets[0].is_number_unsigned() &&
              offsets[1].is_number_unsigned();
  if (!pair) return fail(name, ": data_offsets is to be [begin, end]");
  uint64_t begin = offsets[0].get<uint64_t>(), end = offsets[1].get<uint64_t>();
  if (begin > end || end > data.size()) {
    return fail(name, ": data_offsets ", jsonText(offsets), " are outside the ", data.size(),
                " bytes of data; the file may be truncated");
  }
  if (end - begin != static_cast<uint64_t>(bytes))
    return fail(name, ": ", type->name, jsonText(shape), " takes ", bytes, " bytes, not ",
                end - begin);
  t.data = data.subspan(begin, end - begin);
  return t;
}

Status parseMetadata(const Json& texts, Metadata& metadata) {
  if (!texts.is_object()) return fail("__metadata__ is to be an object of texts");
  for (const auto& [key, value] : texts.items()) {
    if (!value.is_string()) return fail("__metadata__: ", key, " is not a text");
    metadata.emplace_back(key, value.get<std::string>());
  }
  return {};
}

/// Sorted by place, each tensor is to begin where the one before ends, and the last with the data.
Status checkCover(const std::vector<StoredTensor>& tensors, std::span<const std::byte> data) {
  const std::byte* at = data.data();
  const StoredTensor* before = nullptr;
  for (const StoredTensor& t : tensors) {
    if (t.data.data() < at) return fail(t.name, ": its data overlaps that of ", before->name);
    if (t.data.data() > at)
      return fail(t.name, ": the ", t.data.data() - at, " bytes before its data belong to nothing");
    at += t.data.size();
    before = &t;
  }
  auto rest = data.data() + data.size() - at;
  if (rest > 0) return fail("the last ", rest, " bytes belong to no tensor");
  return {};
}

/// What a file is whose first bytes are no length, where they say it.
std::string_view otherKind(std::span<const std::byte> file) {
  bool isObject = file[0] == std::byte{'{'};
  return isObject ? "JSON (TensorFlow.js's model.json)" : kerasFile(file);
}

}  // namespace

Result<Safetensors> readSafetensors(std::span<const std::byte> file) {
  if (file.size() < kLengthBytes)
    return fail("safetensors: ", file.size(), " bytes are too few for a header");
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) length |= static_cast<uint64_t>(file[i]) << (8 * i);
  if (length > kMaxHeader || length > file.size() - kLengthBytes) {
    std::string_view kind = otherKind(file);
    if (!kind.empty())
      return fail(
          "safetensors: this is ", kind,
          "; a model.json, which tensorflowjs_converter makes of Keras's files, is loaded in "
          "JavaScript by loadLayersModel and saved as safetensors");
    return fail("safetensors: a header of ", length, " bytes in a file of ", file.size(),
                "; it is truncated, or something else than safetensors");
  }
  std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes, length);
  auto data = file.subspan(kLengthBytes + length);
  Result<Json> header = parseHeader(text);
  if (!header) return fail("safetensors: ", header.error().message);
  Safetensors out;
  for (const auto& [name, entry] : header->items()) {
    if (name == kMetadata) {
      Status read = parseMetadata(entry, out.metadata);
      if (!read) return fail("safetensors: ", read.error().message);
      continue;
    }
    Result<StoredTensor> tensor = parseTensor(name, entry, data);
    if (!tensor) return fail("safetensors: ", tensor.error().message);
    out.tensors.push_back(std::move(*tensor));
  }
  // An empty tensor comes before the one that shares its place.
  sortFew(out.tensors, [](const StoredTensor& a, const StoredTensor& b) {
    return std::pair(a.data.data(), a.data.size()) < std::pair(b.data.data(), b.data.size());
  });
  Status covered = checkCover(out.tensors, data);
  if (!covered) return fail("safetensors: ", covered.error().message);
  for (size_t i = 0; i < out.tensors.size(); ++i) out.places[out.tensors[i].name] = i;
  return out;
}

const StoredTensor* Safetensors::find(std::string_view name) const {
  auto found = places.find(std::string(name));
  return found == places.end() ? nullptr : &tensors[found->second];
}

std::string_view Safetensors::text(std::string_view key) const {
  for (const auto& [name, value] : metadata) {
    if (name == key) return value;
  }
  return "";
}

// ---- elements

namespace {

template <class T>
T elementAt(std::span<const std::byte> data, int64_t i) {
  T value;
  std::memcpy(&value, data.data() + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <class T>
Status loadIntegers(const StoredTensor& from, const Tensor& to) {
  for (int64_t i = 0; i < to.size(); ++i) {
    T value = elementAt<T>(from.data, i);
    if (!std::in_range<int32_t>(value))
      return fail(from.name, ": element ", i, " is ", static_cast<double>(value),
                  ", which int32 cannot hold");
    to.data<int32_t>()[i] = static_cast<int32_t>(value);
  }
  return {};
}

template <class T, class F>
Status loadFloats(const StoredTensor& from, const Tensor& to, F convert) {
  for (int64_t i = 0; i < to.size(); ++i) to.data<float>()[i] = convert(elementAt<T>(from.data, i));
  return {};
}

Status loadInto(const StoredTensor& from, const Tensor& to) {
  std::string_view type = from.type->name;
  if (type == "F16") return loadFloats<uint16_t>(from, to, fromFloat16);
  if (type == "BF16") return loadFloats<uint16_t>(from, to, fromBfloat16);
  if (type == "F64")
    return loadFloats<double>(from, to, [](double x) { return static_cast<float>(x); });
  if (type == "I64") return loadIntegers<int64_t>(from, to);
  if (type == "I16") return loadIntegers<int16_t>(from, to);
  if (type == "I8") return loadIntegers<int8_t>(from, to);
  if (type == "U8") return loadIntegers<uint8_t>(from, to);
  if (type == "U16") return loadIntegers<uint16_t>(from, to);
  if (type == "U32") return loadIntegers<uint32_t>(from, to);
  if (type == "U64") return loadIntegers<uint64_t>(from, to);
  if (type == "BOOL") {
    for (int64_t i = 0; i < to.size(); ++i)
      to.data<int32_t>()[i] = from.data[static_cast<size_t>(i)] != std::byte{0};
    return {};
  }
  // F32 and I32, as they are. No bytes may be at no address.
  if (!from.data.empty()) std::memcpy(to.view().data, from.data.data(), from.data.size());
  return {};
}

}  // namespace

Result<Tensor> StoredTensor::load() const {
  if (type->loads == StoredType::kNone) return fail(name, ": ", type->name, " is not converted");
  constexpr DType kLoaded[] = {DType::kF32, DType::kI32, DType::kBool};
  FJORD_TRY(Tensor tensor, Tensor::empty({kLoaded[type->loads], shape}));
  FJORD_CHECK(loadInto(*this, tensor));
  return tensor;
}

// ---- writing

namespace {

/// Appends the elements of a tensor as they are stored.
Status appendData(std::string& out, const NamedTensor& t) {
  const Tensor& tensor = t.tensor;
  bool isFloat = tensor.dtype() == DType::kF32;
  bool toFloat = t.as == DType::kF16 || t.as == DType::kBF16;
  bool toInt = t.as == DType::kI8 || t.as == DType::kU8;
  if (t.as == tensor.dtype() && t.as != DType::kBool) {
    out.append(tensor.data<char>(), static_cast<size_t>(tensor.type().bytes()));
    return {};
  }
  if (t.as != tensor.dtype() && !(isFloat ? toFloat : toInt))
    return fail(t.name, ": ", tensor.dtype(), " is not stored as ", t.as);
  for (int64_t i = 0; i < tensor.size(); ++i) {
    if (isFloat) {
      float x = tensor.data<float>()[i];
      uint16_t bits = t.as == DType::kF16 ? toFloat16(x) : toBfloat16(x);
      out.append(reinterpret_cast<const char*>(&bits), sizeof bits);
    } else {
      int32_t x = tensor.data<int32_t>()[i];
      int low = t.as == DType::kI8 ? -128 : 0, high = t.as == DType::kI8 ? 127 : 255;
      if (x < low || x > high)
        return fail(t.name, ": element ", i, " is ", x, ", which ", t.as, " cannot hold");
      out += static_cast<char>(x);
    }
  }
  return {};
}

}  // namespace

Result<std::string> writeSafetensors(std::span<const NamedTensor> tensors,
                                     const Metadata& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) {
    Json& texts = header[kMetadata] = Json::object();
    for (const auto& [key, value] : metadata) texts[key] = value;
  }
  std::string data;
  // Larger elements first, as the reference writer does, so that each is aligned to its size.
  for (int width : {4, 2, 1}) {
    for (const NamedTensor& t : tensors) {
      if (findType(storedName(t.as))->bytes != width) continue;
      if (header.contains(t.name) || t.name == kMetadata)
        return fail("two tensors are named ", t.name, ", or the name is reserved");
      size_t begin = data.size();
      FJORD_CHECK(appendData(data, t));
      Json shape = Json::array();
      for (int32_t size : t.tensor.shape()) shape.push_back(size);
      header[t.name] = {
          {"dtype", storedName(t.as)}, {"shape", shape}, {"data_offsets", {begin, data.size()}}};
    }
  }
  std::string text = jsonText(header);
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string file;
  file.reserve(kLengthBytes + text.size() + data.size());
  for (size_t i = 0; i < kLengthBytes; ++i)
    file += static_cast<char>(static_cast<uint64_t>(text.size()) >> (8 * i));
  return file + text + data;
}

}  // namespace fjord
