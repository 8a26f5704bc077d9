// Einstein's summation: products of arrays along named axes, summed over those that the result has not.
//
//   einsum({{queries, keys}}, {.equation = "bthd,bshd->bhts"})
//
// Composed: what one operand alone has and the result has not is summed at once; two operands are one matrix
// product, batched over what both and the result have. Axes are moved only where a product cannot read them as
// they lie. Several operands are joined from left to right.
#include <algorithm>
#include <string>
#include <vector>

#include "ops/definition.h"
#include "ops/op.h"

namespace fjord {

namespace {

bool has(std::string_view axes, char axis) { return axes.find(axis) != axes.npos; }

/// The axes of each operand and of the result, a character each: letters, and for the axes of an ellipsis
/// '0' (the last one) to '7'.
struct Equation {
  std::vector<std::string> in;
  std::string out;
  std::string axes;                 // all of them, once
  std::vector<int32_t> sizes = {};  // of these

  int32_t sizeOf(char axis) const { return sizes[axes.find(axis)]; }
};

/// One term of an equation; `rank` axes, of which the ellipsis has those that are not named.
Result<std::string> axesOf(std::string_view term, int rank) {
  std::string before, after;
  bool isOpen = false;
  for (size_t i = 0; i < term.size(); ++i) {
    char c = term[i];
    bool isLetter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool isEllipsis = !isOpen && term.substr(i, 3) == "...";
    if (!isLetter && !isEllipsis)
      return fail("axes are named by letters, or are one \"...\", got \"", term, "\"");
    if (isLetter && (has(before, c) || has(after, c)))
      return fail("names ", std::string(1, c), " twice in \"", term, "\"");
    if (isLetter) {
      (isOpen ? after : before) += c;
    } else {
      isOpen = true;
      i += 2;
    }
  }
  int open = rank - static_cast<int>(before.size() + after.size());
  if (open < 0 || (open > 0 && !isOpen))
    return fail("\"", term, "\" stands for an array of ", rank, " axes");
  while (open > 0) before += static_cast<char>('0' + --open);
  return before + after;
}

/// Notes the sizes of an operand's axes. Those of an ellipsis may be 1 where another operand has more.
Status addSizes(Equation& e, const std::string& axes, const Shape& shape) {
  for (size_t i = 0; i < axes.size(); ++i) {
    int32_t size = shape[static_cast<int>(i)];
    if (!has(e.axes, axes[i])) {
      e.axes += axes[i];
      e.sizes.push_back(size);
      continue;
    }
    int32_t& known = e.sizes[e.axes.find(axes[i])];
    bool isOpen = axes[i] <= '7';
    if (isOpen && known == 1) known = size;
    if (known == size || (isOpen && size == 1)) continue;
    return fail(isOpen ? std::string("an axis of \"...\"") : cat("the axis ", axes.substr(i, 1)),
                " is of size ", known, " and of size ", size);
  }
  return {};
}

Result<Equation> parse(std::string_view given, std::span<const Type> in) {
  std::string text;
  for (char c : given) {
    if (c != ' ') text += c;
  }
  size_t arrow = text.find("->");
  if (arrow == text.npos || text.find("->", arrow + 1) != text.npos)
    return fail("the equation must have one ->, as in \"ij,jk->ik\", got \"", given, "\"");
  auto named = [&](const Error& error) {
    return fail("the equation \"", given, "\": ", error.message);
  };
  Equation e;
  std::string_view terms(text.data(), arrow), out = std::string_view(text).substr(arrow + 2);
  size_t count = static_cast<size_t>(std::ranges::count(terms, ',')) + 1;
  if (count != in.size())
    return fail("the equation \"", given, "\" is of ", count, " arrays, got ", in.size());
  size_t open = 0;
  for (const Type& type : in) {
    size_t end = std::min(terms.find(','), terms.size());
    Result<std::string> axes = axesOf(terms.substr(0, end), type.shape.rank());
    if (!axes) return named(axes.error());
    open = std::max<size_t>(open, std::ranges::count_if(*axes, [](char c) { return c <= '7'; }));
    if (Status status = addSizes(e, *axes, type.shape); !status) return named(status.error());
    e.in.push_back(std::move(*axes));
    terms.remove_prefix(std::min(end + 1, terms.size()));
  }
  bool isOpen = out.find("...") != out.npos;
  if (open > 0 && !isOpen)
    return fail("the equation \"", given, "\": the result must have the axes of \"...\", too");
  size_t letters = out.size() - (isOpen ? 3 : 0);
  Result<std::string> axes = axesOf(out, static_cast<int>(letters + open));
  if (!axes) return named(axes.error());
  for (char c : *axes) {
    if (!has(e.axes, c))
      return fail("the equation \"", given, "\": no array has the axis ", std::string(1, c));
  }
  e.out = std::move(*axes);
  return e;
}

struct Operand {
  Value x;
  std::string axes;
};

Value ordered(const Operand& a, const std::string& order) {
  if (a.axes == order) return a.x;
  Shape perm;
  for (char c : order) perm.push(static_cast<int64_t>(a.axes.find(c)));
  return transpose(a.x, {.perm = perm});
}

/// Without the axes that are not among `kept`.
Operand summed(Operand a, const std::string& kept) {
  Shape axes;
  std::string rest;
  for (size_t i = 0; i < a.axes.size(); ++i) {
    if (has(kept, a.axes[i])) {
      rest += a.axes[i];
    } else {
      axes.push(static_cast<int64_t>(i));
    }
  }
  if (axes.empty()) return a;
  return {sum(a.x, {.axes = axes}), rest};
}

/// Joins two operands, in whose product the axes are to stand in this order.
class Join {
 public:
  Join(const Equation& e, Operand a, Operand b, const std::string& order)
      : e_(e), a_(summed(std::move(a), order + b.axes)), b_(summed(std::move(b), order + a_.axes)) {
    for (char c : order) {
      bool inA = has(a_.axes, c), inB = has(b_.axes, c);
      std::string& part = inA && inB ? batch_ : inA ? left_ : right_;
      if ((inA || inB) && !has(part, c)) part += c;
    }
    for (char c : a_.axes) {
      if (has(b_.axes, c) && !has(batch_, c)) inner_ += c;
    }
    // What comes first in the order is to be on the left.
    size_t first = order.find_first_of(left_ + right_);
    if (first != order.npos && has(right_, order[first])) {
      std::swap(a_, b_);
      std::swap(left_, right_);
    }
  }

  Operand operator()() const {
    bool isMatrix = !inner_.empty() && !(left_.empty() && right_.empty()) &&
                    (a_.x.dtype() == DType::kF32 || b_.x.dtype() == DType::kF32);
    std::string axes = batch_ + left_ + right_;
    Shape shape;
    for (char c : axes) shape.push(e_.sizeOf(c));
    return {reshape(isMatrix ? product() : products(), {.shape = shape}), axes};
  }

 private:
  int64_t size(const std::string& axes) const {
    int64_t n = 1;
    for (char c : axes) n *= e_.sizeOf(c);
    return n;
  }
  Value product() const {
    // As it lies, if it can be; else with the axis last that is last now.
    bool turnsA = a_.axes != batch_ + left_ + inner_ &&
                  (a_.axes == batch_ + inner_ + left_ || has(left_, a_.axes.back()));
    bool turnsB = b_.axes != batch_ + inner_ + right_ &&
                  (b_.axes == batch_ + right_ + inner_ || has(inner_, b_.axes.back()));
    return matMul(matrix(a_, turnsA ? inner_ : left_, turnsA ? left_ : inner_),
                  matrix(b_, turnsB ? right_ : inner_, turnsB ? inner_ : right_),
                  {.transposeA = turnsA, .transposeB = turnsB});
  }
  Value matrix(const Operand& a, const std::string& rows, const std::string& columns) const {
    Shape shape;
    if (!batch_.empty()) shape.push(size(batch_));
    shape.push(size(rows));
    shape.push(size(columns));
    return reshape(cast(ordered(a, batch_ + rows + columns), DType::kF32), {.shape = shape});
  }
  /// Element by element: of whole numbers, of vectors with vectors, and where nothing is summed.
  Value products() const {
    Shape a{size(batch_), size(left_), 1, size(inner_)};
    Shape b{size(batch_), 1, size(right_), size(inner_)};
    Value all = reshape(ordered(a_, batch_ + left_ + inner_), {.shape = a}) *
                reshape(ordered(b_, batch_ + right_ + inner_), {.shape = b});
    return inner_.empty() ? all : sum(all, {.axes = {3}});
  }

  const Equation& e_;
  Operand a_, b_;
  std::string batch_, left_, right_, inner_;
};

struct Einsum {
  using Attrs = EinsumAttrs;
  static Status check(std::span<const Type> in, const Attrs& a) {
    FJORD_CHECK(parse(a.equation.view(), in));
    return {};
  }
  static Value expand(std::span<const Value> in, const Attrs& a) {
    std::vector<Type> types;
    for (Value x : in) types.push_back(x.type());
    Equation e = *parse(a.equation.view(), types);
    Operand y;
    for (size_t i = 0; i < in.size(); ++i) {
      Operand next = operand(e, in[i], e.in[i]);
      std::string order = e.out;
      for (size_t later = i + 1; later < in.size(); ++later) order += e.in[later];
      y = i == 0 ? next : Join(e, std::move(y), std::move(next), order)();
    }
    return ordered(summed(std::move(y), e.out), e.out);
  }
  /// Truths are counted; an axis of 1 of an ellipsis serves for one of more.
  static Operand operand(const Equation& e, Value x, const std::string& axes) {
    if (x.dtype() == DType::kBool) x = cast(x, DType::kI32);
    Operand a{x, ""};
    Shape shape;
    for (size_t i = 0; i < axes.size(); ++i) {
      int32_t size = x.shape()[static_cast<int>(i)];
      if (size != e.sizeOf(axes[i])) continue;
      a.axes += axes[i];
      shape.push(size);
    }
    if (shape != x.shape()) a.x = reshape(x, {.shape = shape});
    return a;
  }
  /// y[out..] is the sum over the other axes of the products of the operands' elements.
  static void reference(const ReferenceCall& c, const Attrs& a) {
    std::vector<Type> types;
    for (const Reference& x : c.in) types.push_back(x.type);
    Equation e = *parse(a.equation.view(), types);
    forEachCoordinate(Shape(std::span<const int32_t>(e.sizes)), [&](const Shape& at) {
      auto part = [&](const std::string& axes, const Shape& shape) {
        Shape out;
        for (char axis : axes) {
          int i = out.rank();
          out.push(shape[i] == 1 ? 0 : at[static_cast<int>(e.axes.find(axis))]);
        }
        return out;
      };
      double term = 1;
      for (size_t i = 0; i < c.in.size(); ++i)
        term *= valueAt(c.in[i], part(e.in[i], c.in[i].type.shape));
      valueAt(c.out, part(e.out, c.out.type.shape)) += term;
    });
  }
  static std::vector<Case> cases() {
    auto floatsCase = [](std::string_view equation, std::initializer_list<Shape> shapes) {
      std::vector<Input> in;
      for (const Shape& shape : shapes) in.push_back(floats(shape));
      return makeCase(equation, in, Attrs{.equation = equation});
    };
    return {floatsCase("ij,jk->ik", {{5, 7}, {7, 3}}),
            // Each operand as it lies, and turned; the result in the other order.
            floatsCase("ji,jk->ik", {{7, 5}, {7, 3}}), floatsCase("ij,kj->ik", {{5, 7}, {3, 7}}),
            floatsCase("ij,jk->ki", {{5, 7}, {7, 3}}),
            // Attention: scores, and what they weigh.
            floatsCase("bthd,bshd->bhts", {{2, 5, 3, 4}, {2, 6, 3, 4}}),
            floatsCase("bhts,bshd->bthd", {{2, 3, 5, 6}, {2, 6, 3, 4}}),
            floatsCase("abc,cde->abde", {{2, 3, 4}, {4, 5, 2}}),
            floatsCase("btvrh,bsvh->bvrts", {{2, 5, 2, 3, 4}, {2, 6, 2, 4}}),
            // Nothing is summed; everything is; an axis of one operand alone.
            floatsCase("i,j->ij", {{5}, {7}}), floatsCase("bi,bj->jbi", {{3, 5}, {3, 4}}),
            floatsCase("bi,bi->b", {{3, 50}, {3, 50}}), floatsCase("ij,ij->", {{5, 7}, {5, 7}}),
            floatsCase("ijk,lk->kl", {{5, 2, 3}, {4, 3}}),
            // One operand, and three.
            floatsCase("ij->ji", {{5, 7}}), floatsCase("ijk->j", {{5, 7, 2}}),
            floatsCase("ij,jk,kl->li", {{2, 3}, {3, 4}, {4, 5}}),
            floatsCase("ij,jk,j->ik", {{2, 3}, {3, 4}, {3}}),
            floatsCase("...ij,...jk->...ik", {{2, 1, 3, 4}, {5, 4, 2}}),
            floatsCase("...x,xy->...y", {{2, 3, 4}, {4, 5}}),
            floatsCase("i...,ij->j...", {{3, 2, 4}, {3, 5}}),
            makeCase("integers", {ints({4, 5}, -9, 9), ints({5, 3}, -9, 9)},
                     Attrs{.equation = "ij,jk->ik"}),
            makeCase("integers and floats", {ints({4, 5}, -9, 9), floats({5, 3})},
                     Attrs{.equation = "ij,jk->ik"}, 2e-5)};
  }
};

}  // namespace

FJORD_COMPOSED(Einsum, einsum)

}  // namespace fjord
