#include "nn/weights.h"

#include <algorithm>
#include <cmath>

#include "graph/graph.h"

namespace fjord {

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
  double fan = mode == "fanin" ? fans.in : mode == "fanout" ? fans.out : (fans.in + fans.out) / 2;
  double variance = scale / std::max(1.0, fan);
  if (distribution == "uniform") {
    fillUniform(out, random, -std::sqrt(3 * variance), std::sqrt(3 * variance));
  } else if (distribution == "untruncatednormal") {
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

struct Scaling {
  std::string_view name;
  double scale;
  std::string_view mode, distribution;
};
constexpr Scaling kScalings[] = {
    {"glorotuniform", 1, "fanavg", "uniform"}, {"glorotnormal", 1, "fanavg", "truncatednormal"},
    {"heuniform", 2, "fanin", "uniform"},      {"henormal", 2, "fanin", "truncatednormal"},
    {"lecununiform", 1, "fanin", "uniform"},   {"lecunnormal", 1, "fanin", "truncatednormal"},
};

}  // namespace

Result<Tensor> initialize(const Json& initializer, const Shape& shape, uint64_t seed) {
  std::optional<Choice> choice = choiceOf(initializer);
  if (!choice)
    return fail("an initializer is a name or {class_name, config}, got ", initializer.dump());
  const Json& c = choice->config;
  std::string name = canonicalName(choice->name);
  FJORD_TRY(Tensor t, Tensor::zeros({DType::kF32, shape}));
  std::span<float> out = t.span<float>();
  Random random(member(c, "seed").is_number() ? static_cast<uint64_t>(numberOr(c, "seed", 0))
                                              : seed);
  if (auto row = std::ranges::find(kScalings, std::string_view(name), &Scaling::name);
      row != std::end(kScalings)) {
    fillScaled(out, random, shape, row->scale, row->mode, row->distribution);
  } else if (name == "variancescaling") {
    std::string mode = stringOr(c, "mode", "fan_in"),
                distribution = stringOr(c, "distribution", "truncated_normal");
    std::string m = canonicalName(mode), d = canonicalName(distribution);
    if (m != "fanin" && m != "fanout" && m != "fanavg")
      return fail("VarianceScaling: unknown mode ", mode);
    if (d != "uniform" && d != "normal" && d != "truncatednormal" && d != "untruncatednormal")
      return fail("VarianceScaling: unknown distribution ", distribution);
    fillScaled(out, random, shape, numberOr(c, "scale", 1), m, d);
  } else if (name == "zeros") {
  } else if (name == "ones") {
    std::ranges::fill(out, 1.0f);
  } else if (name == "constant") {
    std::ranges::fill(out, static_cast<float>(numberOr(c, "value", 0)));
  } else if (name == "randomuniform") {
    fillUniform(out, random, numberOr(c, "minval", -0.05), numberOr(c, "maxval", 0.05));
  } else if (name == "randomnormal") {
    fillNormal(out, random, numberOr(c, "mean", 0), numberOr(c, "stddev", 0.05));
  } else if (name == "truncatednormal") {
    fillTruncated(out, random, numberOr(c, "mean", 0), numberOr(c, "stddev", 0.05));
  } else if (name == "orthogonal") {
    if (shape.rank() < 2)
      return fail("an orthogonal initializer needs at least two axes, got ", shape);
    fillOrthogonal(out, random, shape, numberOr(c, "gain", 1));
  } else if (name == "identity") {
    if (shape.rank() != 2) return fail("an identity initializer needs two axes, got ", shape);
    for (int i = 0; i < std::min(shape[0], shape[1]); ++i)
      out[i * shape[1] + i] = static_cast<float>(numberOr(c, "gain", 1));
  } else {
    return fail("unknown initializer ", choice->name);
  }
  return t;
}

// ---- regularizers and constraints

Value regularization(Value w, const Json& regularizer) {
  std::optional<Choice> choice = choiceOf(regularizer);
  if (!w || !choice) return {};
  std::string name = canonicalName(choice->name);
  const Json& c = choice->config;
  double l1 = 0, l2 = 0;
  if (name == "l1") {
    l1 = numberOr(c, "l1", 0.01);
  } else if (name == "l2") {
    l2 = numberOr(c, "l2", 0.01);
  } else if (name == "l1l2") {
    l1 = numberOr(c, "l1", 0.01);
    l2 = numberOr(c, "l2", 0.01);
  } else {
    w.graph->fail(cat("unknown regularizer ", choice->name, "; known are l1, l2, l1_l2"));
    return {};
  }
  Value total;
  if (l1 != 0) total = sum(abs(w)) * l1;
  if (l2 != 0) total = total ? total + sum(square(w)) * l2 : sum(square(w)) * l2;
  return total;
}

Value constrained(Value w, const Json& constraint) {
  std::optional<Choice> choice = choiceOf(constraint);
  if (!w || !choice) return w;
  std::string name = canonicalName(choice->name);
  const Json& c = choice->config;
  constexpr double kEpsilon = 1e-7;  // Keras's
  if (name == "nonneg") return relu(w);
  Shape axes{intOr(c, "axis", 0)};
  if (auto list = intsOf<kMaxRank>(member(c, "axis"))) axes = *list;
  Value norms = sqrt(sum(square(w), {.axes = axes, .keepDims = true}));
  if (name == "unitnorm") return w / (norms + kEpsilon);
  Value wanted;
  if (name == "maxnorm") {
    wanted = minimum(norms, like(norms, numberOr(c, "max_value", 2)));
  } else if (name == "minmaxnorm") {
    double rate = numberOr(c, "rate", 1);
    Value inside = clip(norms, like(norms, numberOr(c, "min_value", 0)),
                        like(norms, numberOr(c, "max_value", 1)));
    wanted = inside * rate + norms * (1 - rate);
  } else {
    w.graph->fail(cat("unknown constraint ", choice->name,
                      "; known are max_norm, min_max_norm, non_neg, unit_norm"));
    return {};
  }
  return w * (wanted / (norms + kEpsilon));
}

}  // namespace fjord
