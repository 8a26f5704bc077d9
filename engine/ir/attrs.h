// Attrs: the attributes of any op, as one value that can be compared and hashed field by field.
//
//   Attrs a = Attrs::of(MatMulAttrs{.transposeB = true});
//   a.as<MatMulAttrs>().transposeB    // true
//
// A struct of plain fields (numbers, enumerations, shapes) lies in the Attrs itself. One that has
// more (a text, a list, an array, a graph) is shared by the copies of the Attrs, and never changed.
// Either names its fields by visitAttrs(struct, f): f("name", field) for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/tensor.h"

/// What runs once for a graph, and not for its numbers: made small, because it is downloaded.
#define FJORD_ONCE [[clang::minsize]]

namespace fjord {

class Graph;

// ---- fields: sameField(a, b), hashField(hash of what came before, a)

inline constexpr uint64_t kHashStart = 0xcbf29ce484222325;
inline uint64_t hashBytes(uint64_t h, const void* data, size_t n) {  // FNV-1a
  auto* p = static_cast<const unsigned char*>(data);
  for (size_t i = 0; i < n; ++i) h = (h ^ p[i]) * 0x100000001b3;
  return h;
}

/// Bits count: -0.0 is not 0.0, and NaN is NaN.
template <class T>
  requires std::has_unique_object_representations_v<T> || std::is_floating_point_v<T>
bool sameField(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}
template <class T>
  requires std::has_unique_object_representations_v<T> || std::is_floating_point_v<T>
uint64_t hashField(uint64_t h, const T& a) {
  return hashBytes(h, &a, sizeof a);
}
inline bool sameField(const std::string& a, const std::string& b) { return a == b; }
inline uint64_t hashField(uint64_t h, const std::string& a) {
  return hashBytes(hashField(h, a.size()), a.data(), a.size());
}
inline bool sameField(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() &&
         std::memcmp(a.view().data, b.view().data, static_cast<size_t>(a.type().bytes())) == 0;
}
inline uint64_t hashField(uint64_t h, const Tensor& a) {
  return hashBytes(hashField(h, a.type()), a.view().data, static_cast<size_t>(a.type().bytes()));
}
/// Of their nodes (ir/graph.cc).
bool sameField(const std::shared_ptr<const Graph>& a, const std::shared_ptr<const Graph>& b);
uint64_t hashField(uint64_t h, const std::shared_ptr<const Graph>& a);
template <class T>
bool sameField(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!sameField(a[i], b[i])) return false;
  }
  return true;
}
template <class T>
uint64_t hashField(uint64_t h, const std::vector<T>& a) {
  h = hashField(h, a.size());
  for (const T& entry : a) h = hashField(h, entry);
  return h;
}

/// The same field of another struct of the same type.
template <class T, class Field>
Field& counterpart(const T& a, const Field& field, T& b) {
  auto offset = reinterpret_cast<const char*>(&field) - reinterpret_cast<const char*>(&a);
  return *reinterpret_cast<Field*>(reinterpret_cast<char*>(&b) + offset);
}

// ---- attributes

/// A struct that is not plain.
struct SharedAttrs {
  virtual ~SharedAttrs() = default;
  /// Both are of one op, hence of one type.
  virtual bool equals(const SharedAttrs& other) const = 0;
  virtual uint64_t hash(uint64_t h) const = 0;
};

template <class T>
struct SharedAttrsOf final : SharedAttrs {
  explicit SharedAttrsOf(T v) : value(std::move(v)) {}
  bool equals(const SharedAttrs& other) const override {
    T &a = const_cast<T&>(value),
      &b = const_cast<T&>(static_cast<const SharedAttrsOf&>(other).value);
    bool same = true;
    visitAttrs(a, [&](const char*, auto& field) {
      same = same && sameField(field, counterpart(a, field, b));
    });
    return same;
  }
  uint64_t hash(uint64_t h) const override {
    visitAttrs(const_cast<T&>(value), [&](const char*, auto& field) { h = hashField(h, field); });
    return h;
  }
  T value;
};

/// Plain fields are put in one by one, over zeros, so that two are equal where the bits of all fields
/// are, whatever lies between the fields.
struct Attrs {
  static constexpr size_t kBytes = 120;
  /// How many bytes are in use.
  uint32_t size = 0;
  alignas(8) std::byte bytes[kBytes]{};
  std::shared_ptr<const SharedAttrs> shared = {};

  template <class T>
  FJORD_ONCE static Attrs of(T value) {
    Attrs a;
    if constexpr (std::is_trivially_copyable_v<T>) {
      static_assert(sizeof(T) <= kBytes);
      a.size = sizeof(T);
      visitAttrs(value, [&]<class Field>(const char*, const Field& field) {
        static_assert(std::has_unique_object_representations_v<Field> ||
                      std::is_floating_point_v<Field>);
        auto offset = reinterpret_cast<const char*>(&field) - reinterpret_cast<const char*>(&value);
        __builtin_memcpy(a.bytes + offset, &field, sizeof(Field));
      });
    } else {
      a.shared = std::make_shared<SharedAttrsOf<T>>(std::move(value));
    }
    return a;
  }
  template <class T>
  const T& as() const {
    if constexpr (std::is_trivially_copyable_v<T>) {
      return *reinterpret_cast<const T*>(bytes);
    } else {
      return static_cast<const SharedAttrsOf<T>&>(*shared).value;
    }
  }
  /// Of a plain struct.
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes), size}; }
  /// Whether two of one op are equal.
  bool operator==(const Attrs& other) const {
    if (text() != other.text() || !shared != !other.shared) return false;
    return shared == other.shared || shared->equals(*other.shared);
  }
  uint64_t hash(uint64_t h) const {
    h = hashBytes(h, bytes, size);
    return shared ? shared->hash(h) : h;
  }
};

}  // namespace fjord
