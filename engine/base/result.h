// Errors as values: every function that can fail returns Result<T> = std::expected<T, Error>.
//
//   Result<Plan> plan = compile(graph);
//   if (!plan) show(plan.error().message);
//   FJORD_TRY(Plan other, compile(graph));             // or hands the error on
//   if (other.steps.empty()) return fail("the graph computes nothing");
//
// A message says what is wrong, where (op, layer, file offset), and what to do where there is
// something to do.
#pragma once

#include <expected>
#include <string>

#include "base/text.h"

namespace fjord {

struct Error {
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

[[gnu::noinline]] inline std::unexpected<Error> failWith(const TextPart* parts, size_t count) {
  return std::unexpected(Error{catParts(parts, count)});
}
template <class... Ts>
[[gnu::always_inline]] inline std::unexpected<Error> fail(const Ts&... parts) {
  const TextPart list[] = {TextPart(parts)...};
  return failWith(list, sizeof...(Ts));
}

#define FJORD_CONCAT_(a, b) a##b
#define FJORD_CONCAT(a, b) FJORD_CONCAT_(a, b)

/// FJORD_TRY(auto x, f()); declares x with the value of f(), or returns f's error from this
/// function.
#define FJORD_TRY(declaration, expression) \
  FJORD_TRY_(declaration, expression, FJORD_CONCAT(result_, __LINE__))
#define FJORD_TRY_(declaration, expression, result)               \
  auto result = (expression);                                     \
  if (!result) return std::unexpected(std::move(result).error()); \
  declaration = std::move(*result)

/// FJORD_CHECK(f()); returns f's error from this function if there is one.
#define FJORD_CHECK(expression) \
  if (auto status_ = (expression); !status_) return std::unexpected(std::move(status_).error())

}  // namespace fjord
