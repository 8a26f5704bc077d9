#include "nn/weights.h"

#include <algorithm>
#include <cmath>

#include "base/parts.h"
#include "ir/graph.h"
#include "nn/stft.h"
#include "nn/traced.h"

namespace fjord {

using namespace arguments;

// ---- initializers

namespace {

struct Fans {
  double in, out;
};
/// Those of the axes that are named; else as of the kernel of a convolution.
Fans fansOf(const Shape& s, const Shape& inputAxes, const Shape& outputAxes) {
  if (!inputAxes.empty() || !outputAxes.empty()) {
    Fans fans{1, 1};
    for (int axis : inputAxes) fans.in *= s[axis];
    for (int axis : outputAxes) fans.out *= s[axis];
    return fans;
  }
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
void fillScaled(std::span<float> out, Random& random, const Fans& fans, double scale,
                std::string_view mode, std::string_view distribution) {
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
// Older files say a dtype.
constexpr Argument kPlain[] = {only("dtype", "\"float32\"")};
constexpr Argument kSeeded[] = {whole("seed", kSeedRange), also(kPlain)};
constexpr Argument kFans[] = {wholes("input_axes", kIndex), wholes("output_axes", kIndex),
                              also(kSeeded)};
constexpr Argument kConstant[] = {number("value", kFinite, 0), also(kPlain)};
constexpr Argument kUniform[] = {number("minval", kFinite, -0.05), number("maxval", kFinite, 0.05),
                                 also(kSeeded)};
constexpr Argument kNormal[] = {number("mean", kFinite, 0), number("stddev", kNotNegative, 0.05),
                                also(kSeeded)};
// The names are those of the distributions in scaled().
constexpr Argument kScaling[] = {
    number("scale", kPositive, 1), choice("mode", "fan_in|fan_out|fan_avg"),
    choice("distribution", "truncated_normal|normal|uniform|untruncated_normal"), also(kFans)};
// TensorFlow.js writes what the named ones scale by.
constexpr Argument kScaled[] = {json("scale"), json("mode"), json("distribution"), also(kFans)};
constexpr Argument kOrthogonal[] = {number("gain", kFinite, 1), also(kSeeded)};
constexpr Argument kStft[] = {choice("side", "real|imag"), also(kStftWindow), also(kPlain)};
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

Status scaled(Filling& to, const Fields& f, double scale, std::string_view mode,
              std::string_view distribution) {
  Shape axes[2] = {f.wholes("input_axes"), f.wholes("output_axes")};
  for (const Shape& list : axes) {
    for (int axis : list) {
      if (axis >= to.shape.rank())
        return fail("input_axes and output_axes must be axes of ", to.shape, ", got ", axis);
    }
  }
  fillScaled(to.out, to.random, fansOf(to.shape, axes[0], axes[1]), scale, mode, distribution);
  return {};
}
template <int scale>
Status scaled(Filling& to, const Fields& f, std::string_view mode, std::string_view distribution) {
  return scaled(to, f, scale, mode, distribution);
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
    {{"random_uniform|uniform", kUniform},
     [](Filling& to, const Fields& f) {
       double low = f.number("minval"), high = f.number("maxval");
       if (low > high)
         return Status(
             fail("random_uniform: minval must be at most maxval, got ", low, " and ", high));
       fillUniform(to.out, to.random, low, high);
       return Status();
     }},
    {{"random_normal|normal", kNormal},
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
       return scaled(to, f, f.number("scale"), f.choice("mode"), f.choice("distribution"));
     }},
    {{"glorot_uniform", kScaled},
     [](Filling& to, const Fields& f) { return scaled<1>(to, f, "fan_avg", "uniform"); }},
    {{"glorot_normal", kScaled},
     [](Filling& to, const Fields& f) { return scaled<1>(to, f, "fan_avg", "truncated_normal"); }},
    {{"he_uniform", kScaled},
     [](Filling& to, const Fields& f) { return scaled<2>(to, f, "fan_in", "uniform"); }},
    {{"he_normal", kScaled},
     [](Filling& to, const Fields& f) { return scaled<2>(to, f, "fan_in", "truncated_normal"); }},
    {{"lecun_uniform", kScaled},
     [](Filling& to, const Fields& f) { return scaled<1>(to, f, "fan_in", "uniform"); }},
    {{"lecun_normal", kScaled},
     [](Filling& to, const Fields& f) { return scaled<1>(to, f, "fan_in", "truncated_normal"); }},
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
    {{"stft|stft_initializer", kStft},
     [](Filling& to, const Fields& f) {
       const Shape& s = to.shape;
       if (s.rank() != 3 || s[1] != 1 || to.out.empty())
         return Status(
             fail("an STFT initializer needs axes [frame_length,1,frequencies], got ", s));
       return fillStft(to.out, s[0], 2 * (s[2] - 1), f.choice("side") == "imag", f.choice("window"),
                       f.flag("periodic"), f.choice("scaling"));
     }},
};

}  // namespace

Status checkInitializer(const Json& initializer) {
  if (!kTrains) return {};
  auto c = chosen("initializer", kInitializers, initializer);
  return c ? Status() : std::unexpected(c.error());
}

namespace {

Result<Tensor> initializeParts(const Json& list, const Shape& shape, uint64_t seed) {
  FJORD_TRY(Tensor all, Tensor::zeros({DType::kF32, shape}));
  int64_t parts = static_cast<int64_t>(list.size()), width = shape[-1] / parts;
  Shape each = shape;
  each[-1] = static_cast<int32_t>(width);
  for (int64_t i = 0; i < parts; ++i) {
    FJORD_TRY(Tensor part, initialize(list[i], each, seed ^ static_cast<uint64_t>(i) << 56));
    for (int64_t row = 0; row * width < part.size(); ++row)
      std::copy_n(part.data<float>() + row * width, width,
                  all.data<float>() + (row * parts + i) * width);
  }
  return all;
}

}  // namespace

Json scaledBy(const Json& initializer, const Shape& inputAxes, const Shape& outputAxes) {
  std::optional<Choice> choice = choiceOf(initializer);
  if (!kTrains || !choice) return initializer;
  Json& config = choice->config;
  auto set = [&](const char* name, const Shape& axes) {
    if (!axes.empty() && member(config, name).is_null())
      config[name] = std::vector<int32_t>(axes.begin(), axes.end());
  };
  set("input_axes", inputAxes);
  set("output_axes", outputAxes);
  Json scaled = {{"class_name", choice->name}, {"config", config}};
  return chosen("initializer", kInitializers, scaled) ? scaled : initializer;
}

Result<Tensor> initialize(const Json& initializer, const Shape& shape, uint64_t seed) {
  if (initializer.is_array()) return initializeParts(initializer, shape, seed);
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
constexpr Argument kOrthogonalRegularizer[] = {number("factor", kNotNegative, 0.01),
                                               choice("mode", "rows|columns")};

/// Empty where nothing is to be added.
Value penalty(Value w, double l1, double l2) {
  Value total;
  if (l1 != 0) total = sum(abs(w)) * l1;
  if (l2 != 0) total = total ? total + sum(square(w)) * l2 : sum(square(w)) * l2;
  return total;
}

/// factor times the mean of |cos| between two different rows, or columns, of a matrix.
Value nearness(Value w, double factor, bool ofRows) {
  const Shape& s = w.shape();
  if (s.rank() != 2 || s[ofRows ? 0 : 1] < 2) {
    w.graph->fail(cat("an orthogonal regularizer needs a matrix of at least two ",
                      ofRows ? "rows" : "columns", ", got ", s));
    return {};
  }
  Value lengths = sum(square(w), {.axes = {ofRows ? 1 : 0}, .keepDims = true});
  Value unit = w * rsqrt(maximum(lengths, like(lengths, 1e-12)));
  Value cosines = matMul(unit, unit, {.transposeA = !ofRows, .transposeB = ofRows});
  int32_t n = cosines.shape()[0];
  Value column = range(*w.graph, n), row = reshape(column, {.shape = {n, 1}});
  Value others = cast(notEqual(row, column), DType::kF32);
  return sum(abs(cosines) * others) * (factor / (static_cast<double>(n) * (n - 1)));
}

struct RegularizerRow : Named {
  Value (*apply)(Value w, const Fields& fields);
};
constexpr RegularizerRow kRegularizers[] = {
    {{"l1", kL1}, [](Value w, const Fields& f) { return penalty(w, f.number("l1"), 0); }},
    {{"l2", kL2}, [](Value w, const Fields& f) { return penalty(w, 0, f.number("l2")); }},
    {{"l1_l2", kL1L2},
     [](Value w, const Fields& f) { return penalty(w, f.number("l1"), f.number("l2")); }},
    {{"orthogonal_regularizer", kOrthogonalRegularizer},
     [](Value w, const Fields& f) {
       return nearness(w, f.number("factor"), f.choice("mode") == "rows");
     }},
};

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
  return c->row->apply(w, c->fields);
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
