#include "nn/weights.h"

#include <algorithm>
#include <cmath>

#include "base/parts.h"
#include "ir/graph.h"
#include "nn/traced.h"

namespace fjord {

using namespace arguments;

// ---- initializers

namespace {

struct Fans {
  double in, out;
};
Fans fansOf(const Shape& s) {
  if (s.rank() == 0) return {1, 1};
  if (s.rank() == 1) return {static_cast<double>(s[0]), static_cast<double>(s[0])};
  double field = 1;
  for (int i = 0; i + 2 < s.rank(); ++i) field *= s[i];
  return {field * s[-2], field * s[-1]};
}

void fillUniform(std::span<float> out, Random& random, double low, double high) {
  for (float& v : out) v = static_cast<float>(low + (high - low) * random.uniform());
}
void fillNormal(std::span<float> out, Random& random, double mean, double stddev) {
  for (float& v : out) v = static_cast<float>(mean + stddev * random.normal());
}
/// Within two standard deviations.
void fillTruncated(std::span<float> out, Random& random, double mean, double stddev) {
  for (float& v : out) {
    float z = random.normal();
    while (std::fabs(z) > 2) z = random.normal();
    v = static_cast<float>(mean + stddev * z);
  }
}

/// Numbers of variance scale / fan (Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998).
void fillScaled(std::span<float> out, Random& random, const Shape& shape, double scale,
                std::string_view mode, std::string_view distribution) {
  Fans fans = fansOf(shape);
  double fan = mode == "fan_in" ? fans.in : mode == "fan_out" ? fans.out : (fans.in + fans.out) / 2;
  double variance = scale / std::max(1.0, fan);
  if (distribution == "uniform") {
    fillUniform(out, random, -std::sqrt(3 * variance), std::sqrt(3 * variance));
  } else if (distribution == "untruncated_normal") {
    fillNormal(out, random, 0, std::sqrt(variance));
  } else {
    // The standard deviation of a normal distribution cut at two standard deviations is 0.8796 of
    // the uncut one's.
    fillTruncated(out, random, 0, std::sqrt(variance) / 0.87962566103423978);
  }
}

/// Orthonormal rows or columns, whichever are fewer: Gram-Schmidt on normal numbers (Saxe et al.
/// 2014).
void fillOrthogonal(std::span<float> out, Random& random, const Shape& shape, double gain) {
  int64_t columns = shape[-1], rows = static_cast<int64_t>(out.size()) / columns;
  bool tall = rows >= columns;
  int64_t count = tall ? columns : rows, length = tall ? rows : columns;
  std::vector<double> v(count * length);
  for (double& x : v) x = random.normal();
  for (int64_t i = 0; i < count; ++i) {
    double* a = &v[i * length];
    // Twice is enough to be orthogonal to working precision.
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t j = 0; j < i; ++j) {
        double dot = 0;
        for (int64_t k = 0; k < length; ++k) dot += a[k] * v[j * length + k];
        for (int64_t k = 0; k < length; ++k) a[k] -= dot * v[j * length + k];
      }
    }
    double norm = 0;
    for (int64_t k = 0; k < length; ++k) norm += a[k] * a[k];
    for (int64_t k = 0; k < length; ++k) a[k] /= std::sqrt(norm);
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      out[r * columns + c] =
          static_cast<float>(gain * (tall ? v[c * length + r] : v[r * length + c]));
    }
  }
}

// Of a seed: what JavaScript and JSON can write exactly.
constexpr Range kSeedRange{-9007199254740991, 9007199254740991};
// Keras names axes of its own in rare layers; older files say a dtype.
constexpr Argument kPlain[] = {only("dtype", "\"float32\"")};
constexpr Argument kSeeded[] = {whole("seed", kSeedRange), only("input_axes", ""),
                                only("output_axes", ""), also(kPlain)};
constexpr Argument kConstant[] = {number("value", kFinite, 0), also(kPlain)};
constexpr Argument kUniform[] = {number("minval", kFinite, -0.05), number("maxval", kFinite, 0.05),
                                 also(kSeeded)};
constexpr Argument kNormal[] = {number("mean", kFinite, 0), number("stddev", kNotNegative, 0.05),
                                also(kSeeded)};
// The names are those of the distributions in scaled().
constexpr Argument kScaling[] = {
    number("scale", kPositive, 1), choice("mode", "fan_in|fan_out|fan_avg"),
    choice("distribution", "truncated_normal|normal|uniform|untruncated_normal"), also(kSeeded)};
// TensorFlow.js writes what the named ones scale by.
constexpr Argument kScaled[] = {json("scale"), json("mode"), json("distribution"), also(kSeeded)};
constexpr Argument kOrthogonal[] = {number("gain", kFinite, 1), also(kSeeded)};
constexpr Argument kIdentity[] = {number("gain", kFinite, 1), also(kPlain)};

/// An initializer's array and what it draws from.
struct Filling {
  std::span<float> out;
  const Shape& shape;
  Random& random;
};

struct InitializerRow : Named {
  Status (*fill)(Filling& to, const Fields& fields);
};

template <int scale>
Status scaled(Filling& to, std::string_view mode, std::string_view distribution) {
  fillScaled(to.out, to.random, to.shape, scale, mode, distribution);
  return {};
}

constexpr InitializerRow kInitializers[] = {
    {{"zeros", kPlain}, [](Filling&, const Fields&) { return Status(); }},
    {{"ones", kPlain},
     [](Filling& to, const Fields&) {
       std::ranges::fill(to.out, 1.0f);
       return Status();
     }},
    {{"constant", kConstant},
     [](Filling& to, const Fields& f) {
       std::ranges::fill(to.out, static_cast<float>(f.number("value")));
       return Status();
     }},
    {{"random_uniform", kUniform},
     [](Filling& to, const Fields& f) {
       double low = f.number("minval"), high = f.number("maxval");
       if (low > high)
         return Status(
             fail("random_uniform: minval must be at most maxval, got ", low, " and ", high));
       fillUniform(to.out, to.random, low, high);
       return Status();
     }},
    {{"random_normal", kNormal},
     [](Filling& to, const Fields& f) {
       fillNormal(to.out, to.random, f.number("mean"), f.number("stddev"));
       return Status();
     }},
    {{"truncated_normal", kNormal},
     [](Filling& to, const Fields& f) {
       fillTruncated(to.out, to.random, f.number("mean"), f.number("stddev"));
       return Status();
     }},
    {{"variance_scaling", kScaling},
     [](Filling& to, const Fields& f) {
       fillScaled(to.out, to.random, to.shape, f.number("scale"), f.choice("mode"),
                  f.choice("distribution"));
       return Status();
     }},
    {{"glorot_uniform", kScaled},
     [](Filling& to, const Fields&) { return scaled<1>(to, "fan_avg", "uniform"); }},
    {{"glorot_normal", kScaled},
     [](Filling& to, const Fields&) { return scaled<1>(to, "fan_avg", "truncated_normal"); }},
    {{"he_uniform", kScaled},
     [](Filling& to, const Fields&) { return scaled<2>(to, "fan_in", "uniform"); }},
    {{"he_normal", kScaled},
     [](Filling& to, const Fields&) { return scaled<2>(to, "fan_in", "truncated_normal"); }},
    {{"lecun_uniform", kScaled},
     [](Filling& to, const Fields&) { return scaled<1>(to, "fan_in", "uniform"); }},
    {{"lecun_normal", kScaled},
     [](Filling& to, const Fields&) { return scaled<1>(to, "fan_in", "truncated_normal"); }},
    {{"orthogonal", kOrthogonal},
     [](Filling& to, const Fields& f) {
       if (to.shape.rank() < 2)
         return Status(fail("an orthogonal initializer needs at least two axes, got ", to.shape));
       fillOrthogonal(to.out, to.random, to.shape, f.number("gain"));
       return Status();
     }},
    {{"identity", kIdentity},
     [](Filling& to, const Fields& f) {
       const Shape& s = to.shape;
       if (s.rank() != 2) return Status(fail("an identity initializer needs two axes, got ", s));
       for (int i = 0; i < std::min(s[0], s[1]); ++i)
         to.out[i * s[1] + i] = static_cast<float>(f.number("gain"));
       return Status();
     }},
};

}  // namespace

Status checkInitializer(const Json& initializer) {
  if (!kTrains) return {};
  auto c = chosen("initializer", kInitializers, initializer);
  return c ? Status() : std::unexpected(c.error());
}

Result<Tensor> initialize(const Json& initializer, const Shape& shape, uint64_t seed) {
  FJORD_TRY(auto c, chosen("initializer", kInitializers, initializer));
  FJORD_TRY(Tensor t, Tensor::zeros({DType::kF32, shape}));
  // Those without randomness have no such argument.
  const Json& own = member(configOf(initializer), "seed");
  Random random(own.is_number() ? static_cast<uint64_t>(own.get<int64_t>()) : seed);
  Filling to{t.span<float>(), shape, random};
  FJORD_CHECK(c.row->fill(to, c.fields));
  return t;
}

// ---- regularizers and constraints

namespace {

// The default of a bare name is TensorFlow.js's; Keras writes both numbers always.
constexpr Argument kL1[] = {number("l1", kNotNegative, 0.01)};
constexpr Argument kL2[] = {number("l2", kNotNegative, 0.01)};
constexpr Argument kL1L2[] = {also(kL1), also(kL2)};

constexpr Named kRegularizers[] = {{"l1", kL1}, {"l2", kL2}, {"l1_l2", kL1L2}};

// The axes that are summed over.
constexpr Argument kNorms[] = {wholes("axis", kAnyInt, 0)};
constexpr Argument kMaxNorm[] = {number("max_value", kNotNegative, 2), also(kNorms)};
constexpr Argument kMinMaxNorm[] = {number("min_value", kNotNegative, 0),
                                    number("max_value", kNotNegative, 1), number("rate", kShare, 1),
                                    also(kNorms)};

struct ConstraintRow : Named {
  /// The norm that is wanted of each slice.
  Value (*wanted)(Value norms, const Fields& fields);
};
constexpr ConstraintRow kConstraints[] = {
    {{"non_neg", {}}, nullptr},
    {{"unit_norm", kNorms}, [](Value norms, const Fields&) { return like(norms, 1); }},
    {{"max_norm", kMaxNorm},
     [](Value norms, const Fields& f) {
       return minimum(norms, like(norms, f.number("max_value")));
     }},
    {{"min_max_norm", kMinMaxNorm},
     [](Value norms, const Fields& f) {
       double rate = f.number("rate");
       Value inside =
           clip(norms, like(norms, f.number("min_value")), like(norms, f.number("max_value")));
       return inside * rate + norms * (1 - rate);
     }},
};

}  // namespace

Status checkRegularizer(const Json& regularizer) {
  if (!kTrains || tracedNumber(regularizer)) return {};
  auto c = chosen("regularizer", kRegularizers, regularizer);
  return c ? Status() : std::unexpected(c.error());
}

Status checkConstraint(const Json& constraint) {
  if (!kTrains || tracedNumber(constraint)) return {};
  auto c = chosen("constraint", kConstraints, constraint);
  return c ? Status() : std::unexpected(c.error());
}

Table initializerTable() {
  return {
      "initializer", {std::begin(kInitializers), std::end(kInitializers)}, {}, checkInitializer};
}
Table regularizerTable() {
  return {
      "regularizer", {std::begin(kRegularizers), std::end(kRegularizers)}, {}, checkRegularizer};
}
Table constraintTable() {
  return {"constraint", {std::begin(kConstraints), std::end(kConstraints)}, {}, checkConstraint};
}

Value regularization(Value w, const Json& regularizer) {
  if (!w || regularizer.is_null()) return {};
  if (tracedNumber(regularizer)) {
    Value penalty = traced(regularizer, {{w}});
    if (!penalty || penalty.shape().rank() == 0) return penalty;
    w.graph->fail(cat("a regularizer gives a scalar, got ", penalty.type()));
    return {};
  }
  auto c = chosen("regularizer", kRegularizers, regularizer);
  if (!c) {
    w.graph->fail(c.error().message);
    return {};
  }
  double l1 = c->row->name == "l2" ? 0 : c->fields.number("l1");
  double l2 = c->row->name == "l1" ? 0 : c->fields.number("l2");
  Value total;
  if (l1 != 0) total = sum(abs(w)) * l1;
  if (l2 != 0) total = total ? total + sum(square(w)) * l2 : sum(square(w)) * l2;
  return total;
}

Value constrained(Value w, const Json& constraint) {
  if (!w || constraint.is_null()) return w;
  if (tracedNumber(constraint)) return traced(constraint, {{w}});
  auto c = chosen("constraint", kConstraints, constraint);
  if (!c) {
    w.graph->fail(c.error().message);
    return {};
  }
  constexpr double kEpsilon = 1e-7;  // Keras's
  if (!c->row->wanted) return relu(w);
  Value norms = sqrt(sum(square(w), {.axes = c->fields.wholes("axis"), .keepDims = true}));
  return w * (c->row->wanted(norms, c->fields) / (norms + kEpsilon));
}

}  // namespace fjord
