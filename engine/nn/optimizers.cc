#include "nn/optimizers.h"

#include <algorithm>
#include <cmath>

#include "ir/graph.h"

namespace fjord {

using namespace arguments;

namespace {

/// Parts of names are texts, where Keras takes regular expressions: no character of one is let through.
Status checkParts(const Json& texts) {
  for (const Json& part : texts) {
    if (part.get_ref<const std::string&>().find_first_of("\\^$.|?*+()[]{}") != std::string::npos)
      return fail("must be parts of names, got ", shown(part),
                  ": regular expressions are not supported");
  }
  return {};
}
/// The running mean of `name`: state <- state + (x - state)(1 - decay).
Value average(UpdateContext& u, std::string_view name, Value x, double decay) {
  Value old = u.slot(name);
  Value now = old + (x - old) * (1 - decay);
  u.setSlot(name, now);
  return now;
}

/// 1 - decay^step: what a running mean that started at zero has seen so far.
Value seen(UpdateContext& u, double decay) { return -expm1(u.step * std::log(decay)); }

constexpr Argument kEpsilon[] = {number("epsilon", kNotNegative, 1e-7)};
constexpr Argument kMomentum[] = {number("momentum", kBelowOne, 0)};
constexpr Argument kMoments[] = {number("beta_1", kBelowOne, 0.9),
                                 number("beta_2", kBelowOne, 0.999), also(kEpsilon)};

/// A step down the gradient. One that is nothing but rows of a table, as an embedding's is, changes these
/// alone: its time does not grow with the table.
Value descended(const UpdateContext& u) {
  Graph& graph = *u.weight.graph;
  const Node& node = graph.node(u.gradient);
  bool isOfRows = node.op == OpId::scatterAdd && node.attrs.as<ScatterAddAttrs>().axis == 0;
  if (!u.changesRows || !isOfRows) return u.weight - u.gradient * u.rate;
  return addRows(u.weight, {&graph, node.inputs[0]}, Value{&graph, node.inputs[1]} * -u.rate);
}

constexpr Argument kSgd[] = {flag("nesterov|use_nesterov", false), also(kMomentum)};
Value sgd(UpdateContext& u, const Fields& f) {
  double momentum = f.number("momentum");
  if (momentum == 0) return descended(u);
  Value velocity = u.slot("momentum") * momentum - u.gradient * u.rate;
  u.setSlot("momentum", velocity);
  return f.flag("nesterov") ? u.weight + velocity * momentum - u.gradient * u.rate
                            : u.weight + velocity;
}

/// Tieleman and Hinton 2012. TensorFlow.js says decay for rho; beside a rho it is what it is elsewhere.
constexpr Argument kRmsprop[] = {number("rho", kBelowOne, 0.9), number("decay", kBelowOne),
                                 flag("centered", false), also(kMomentum), also(kEpsilon)};
bool saysRho(const Fields& f) { return f.has("rho") || !f.has("decay"); }
Value rmsprop(UpdateContext& u, const Fields& f) {
  double rho = f.number(saysRho(f) ? "rho" : "decay"), momentum = f.number("momentum");
  Value scale = average(u, "velocity", square(u.gradient), rho);
  if (f.flag("centered")) scale = scale - square(average(u, "average_gradient", u.gradient, rho));
  Value increment = u.rate * u.gradient * rsqrt(scale + f.number("epsilon"));
  if (momentum == 0) return u.weight - increment;
  Value m = u.slot("momentum") * momentum + increment;
  u.setSlot("momentum", m);
  return u.weight - m;
}

/// Duchi, Hazan, Singer 2011.
constexpr Argument kAdagrad[] = {number("initial_accumulator_value", kNotNegative, 0.1),
                                 also(kEpsilon)};
Value adagrad(UpdateContext& u, const Fields& f) {
  Value total = u.slot("accumulator", f.number("initial_accumulator_value")) + square(u.gradient);
  u.setSlot("accumulator", total);
  return u.weight - u.rate * u.gradient * rsqrt(total + f.number("epsilon"));
}

/// Zeiler 2012.
constexpr Argument kAdadelta[] = {number("rho", kBelowOne, 0.95), also(kEpsilon)};
Value adadelta(UpdateContext& u, const Fields& f) {
  double rho = f.number("rho"), epsilon = f.number("epsilon");
  Value squares = average(u, "accumulated_grad", square(u.gradient), rho);
  Value delta =
      sqrt(u.slot("accumulated_delta_var") + epsilon) * u.gradient * rsqrt(squares + epsilon);
  average(u, "accumulated_delta_var", square(delta), rho);
  return u.weight - u.rate * delta;
}

constexpr Argument kAdam[] = {flag("amsgrad", false), also(kMoments)};

/// Kingma and Ba 2015, with the bias correction folded into the rate; AMSGrad: Reddi, Kale, Kumar
/// 2018.
Value adamWith(UpdateContext& u, double b1, double b2, double epsilon, Value rate,
               bool amsgrad = false) {
  Value m = average(u, "momentum", u.gradient, b1),
        v = average(u, "velocity", square(u.gradient), b2);
  rate = rate * sqrt(seen(u, b2)) / seen(u, b1);
  if (amsgrad) {
    v = maximum(u.slot("velocity_hat"), v);
    u.setSlot("velocity_hat", v);
  }
  return u.weight - m * rate / (sqrt(v) + epsilon);
}
Value adam(UpdateContext& u, const Fields& f) {
  return adamWith(u, f.number("beta_1"), f.number("beta_2"), f.number("epsilon"), u.rate,
                  f.flag("amsgrad"));
}

/// Loshchilov and Hutter 2019: the decay is of the weight, not of the loss.
constexpr Argument kAdamw[] = {number("weight_decay", kNotNegative, 0.004), also(kAdam)};
Value adamw(UpdateContext& u, const Fields& f) { return adam(u, f); }

Value adamax(UpdateContext& u, const Fields& f) {
  double b1 = f.number("beta_1"), b2 = f.number("beta_2");
  Value m = average(u, "momentum", u.gradient, b1);
  Value top = maximum(u.slot("norm") * b2, abs(u.gradient));
  u.setSlot("norm", top);
  return u.weight - u.rate / seen(u, b1) * m / (top + f.number("epsilon"));
}

/// Dozat 2016. The momentum of step t is b1 (1 - 0.5 * 0.96^t).
Value nadam(UpdateContext& u, const Fields& f) {
  double b1 = f.number("beta_1"), b2 = f.number("beta_2");
  auto momentumAt = [&](Value t) { return b1 * (1.0 - 0.5 * exp(t * std::log(0.96))); };
  Value now = momentumAt(u.step), next = momentumAt(u.step + 1.0);
  // One number for the whole weight, kept in a slot of its shape.
  Value product = u.slot("momentum_product", 1) * now;
  u.setSlot("momentum_product", product);
  Value m = average(u, "momentum", u.gradient, b1),
        v = average(u, "velocity", square(u.gradient), b2);
  Value mHat = next * m / (1.0 - product * next) + (1.0 - now) * u.gradient / (1.0 - product);
  return u.weight - u.rate * mHat / (sqrt(v / seen(u, b2)) + f.number("epsilon"));
}

/// McMahan et al. 2013: "Ad click prediction".
constexpr Range kNotPositive{-kMostFloat, 0};
constexpr Argument kFtrl[] = {number("learning_rate_power", kNotPositive, -0.5),
                              number("initial_accumulator_value", kNotNegative, 0.1),
                              number("l1_regularization_strength", kNotNegative, 0),
                              number("l2_regularization_strength", kNotNegative, 0),
                              number("l2_shrinkage_regularization_strength", kNotNegative, 0),
                              number("beta", kNotNegative, 0)};
Value ftrl(UpdateContext& u, const Fields& f) {
  double power = f.number("learning_rate_power"), start = f.number("initial_accumulator_value");
  double l1 = f.number("l1_regularization_strength"), l2 = f.number("l2_regularization_strength");
  double shrinkage = f.number("l2_shrinkage_regularization_strength"), beta = f.number("beta");
  // Keras folds beta into l2: both stand in the same denominator.
  Value strength = l2 + beta / (u.rate * 2.0);
  Value old = u.slot("accumulator", start), linear = u.slot("linear");
  Value gradient = u.gradient + u.weight * (2 * shrinkage);
  Value total = old + square(u.gradient);
  auto powered = [&](Value a) { return power == -0.5 ? sqrt(a) : pow(a, like(a, -power)); };
  linear = linear + gradient - (powered(total) - powered(old)) / u.rate * u.weight;
  u.setSlot("accumulator", total);
  u.setSlot("linear", linear);
  Value quadratic = powered(total) / u.rate + strength * 2.0;
  Value clippedLinear = clip(linear, like(linear, -l1), like(linear, l1));
  return (clippedLinear - linear) / quadratic;
}

/// Chen et al. 2023.
constexpr Argument kLion[] = {number("beta_1", kBelowOne, 0.9), number("beta_2", kBelowOne, 0.99)};
Value lion(UpdateContext& u, const Fields& f) {
  double b1 = f.number("beta_1"), b2 = f.number("beta_2");
  Value m = u.slot("momentum");
  Value direction = sign(m * b1 + u.gradient * (1 - b1));
  u.setSlot("momentum", m * b2 + u.gradient * (1 - b2));
  return u.weight - u.rate * direction;
}

/// You et al. 2020: Adam's direction, as long as the weight itself.
Value lamb(UpdateContext& u, const Fields& f) {
  double b1 = f.number("beta_1"), b2 = f.number("beta_2");
  Value m = average(u, "momentum", u.gradient, b1),
        v = average(u, "velocity", square(u.gradient), b2);
  Value direction = m / seen(u, b1) / (sqrt(v / seen(u, b2)) + f.number("epsilon"));
  Value has = sqrt(sum(square(u.weight))), wants = sqrt(sum(square(direction)));
  Value ratio = where((has > 0.0) & (wants > 0.0), has / wants, 1.0);
  return u.weight - direction * (u.rate * ratio);
}

/// Shazeer and Stern 2018: of a matrix the mean squares of rows and of columns stand for those of its
/// elements. relative_step changes nothing: rates are bounded by 1 / sqrt(step) in any case, as in Keras.
constexpr Argument kAdafactor[] = {
    number("beta_2_decay", kNotPositive, -0.8), number("epsilon_1", kNotNegative, 1e-30),
    number("epsilon_2", kNotNegative, 1e-3), number("clip_threshold", kPositive, 1),
    flag("relative_step", true)};
Value adafactor(UpdateContext& u, const Fields& f) {
  Value isNew = pow(u.step, like(u.step, f.number("beta_2_decay")));  // the weight of what is new
  auto mix = [&](std::string_view name, Value x) {
    Value now = u.slot(name, x.shape(), 0) * (1.0 - isNew) + x * isNew;
    u.setSlot(name, now);
    return now;
  };
  auto size = [](Value x) { return sqrt(mean(square(x))); };
  Value squares = square(u.gradient) + f.number("epsilon_1"), v;
  if (u.weight.shape().rank() < 2) {
    v = mix("velocity", squares);
  } else {
    Value rows = mix("rows", mean(squares, {.axes = {-1}, .keepDims = true}));
    Value columns = mix("columns", mean(squares, {.axes = {-2}, .keepDims = true}));
    v = rows / mean(rows, {.axes = {-2}, .keepDims = true}) * columns;
  }
  Value step = u.gradient * rsqrt(v), length = size(u.weight);
  Value tooLong = size(step) / f.number("clip_threshold");
  Value rate =
      minimum(u.rate, rsqrt(u.step)) * maximum(length, like(length, f.number("epsilon_2")));
  return u.weight - step * (rate / maximum(tooLong, like(tooLong, 1)));
}

/// Jordan et al. 2024, "Muon": the momentum of a matrix is brought near to an orthogonal one by some steps
/// of Newton and Schulz. Other weights, embeddings and what is excluded go by Adam.
constexpr Argument kMuon[] = {number("adam_beta_1", kBelowOne, 0.9),
                              number("adam_beta_2", kBelowOne, 0.999),
                              number("adam_weight_decay", kNotNegative, 0.004).orNull(),
                              number("weight_decay", kNotNegative, 0.004).orNull(),
                              texts("exclude_layers").checkedBy(checkParts),
                              flag("exclude_embeddings", true),
                              number("muon_a", kFinite, 3.4445),
                              number("muon_b", kFinite, -4.775),
                              number("muon_c", kFinite, 2.0315),
                              number("adam_lr_ratio", kNotNegative, 1),
                              number("momentum", kBelowOne, 0.95),
                              whole("ns_steps", kIndex, 5),
                              flag("nesterov", true),
                              number("rms_rate", kNotNegative, 0.2).orNull(),
                              also(kEpsilon)};
bool goesByAdam(const UpdateContext& u, const Fields& f) {
  bool isTable = f.flag("exclude_embeddings") && canonicalName(u.name).contains("embedding");
  return u.weight.shape().rank() != 2 || isTable || u.isNamed(f.texts("exclude_layers"));
}
double muonDecay(const UpdateContext& u, const Fields& f) {
  double decay = f.number(goesByAdam(u, f) ? "adam_weight_decay" : "weight_decay");
  return std::isnan(decay) ? 0 : decay;
}
Value orthogonal(Value x, const Fields& f) {
  // Products of the shorter side: x (x'x) is (x x') x.
  bool isTall = x.shape()[0] > x.shape()[1];
  x = x / (sqrt(sum(square(x))) + 1e-7);
  for (int i = 0; i < f.whole("ns_steps"); ++i) {
    Value xx = matMul(x, x, {.transposeA = isTall, .transposeB = !isTall});
    Value series = xx * f.number("muon_b") + matMul(xx * f.number("muon_c"), xx);
    x = x * f.number("muon_a") + (isTall ? matMul(x, series) : matMul(series, x));
  }
  return x;
}
Value muon(UpdateContext& u, const Fields& f) {
  if (goesByAdam(u, f))
    return adamWith(u, f.number("adam_beta_1"), f.number("adam_beta_2"), f.number("epsilon"),
                    u.rate * f.number("adam_lr_ratio"));
  double momentum = f.number("momentum"), size = f.number("rms_rate");
  Value m = u.slot("momentum") * momentum + u.gradient;
  u.setSlot("momentum", m);
  Value step = orthogonal(f.flag("nesterov") ? u.gradient + m * momentum : m, f);
  const Shape& shape = step.shape();
  double scale = std::isnan(size) ? 1 : size * std::sqrt(std::max(shape[0], shape[1]));
  return u.weight - step * (u.rate * scale);
}

/// Defazio et al. 2024, "The road less scheduled": gradients are taken between the point that descends and
/// the average of where it was.
constexpr Range kFraction{0, 1, true, true};
constexpr Argument kScheduleFree[] = {
    number("beta_1", kFraction, 0.9), number("beta_2", kBelowOne, 0.999),
    number("epsilon", kNotNegative, 1e-8), whole("warmup_steps", kIndex, 0)};
Value scheduleFreeAdamw(UpdateContext& u, const Fields& f) {
  double b1 = f.number("beta_1"), b2 = f.number("beta_2"), warmup = f.number("warmup_steps");
  Value rate = warmup > 0 ? u.rate * minimum(u.step / warmup, like(u.step, 1)) : u.rate;
  // The point begins at the weight.
  Value old = where(u.step > 1.0, u.slot("momentum"), u.before);
  Value v = average(u, "velocity", square(u.gradient), b2);
  Value now = old - rate * u.gradient / (sqrt(v / seen(u, b2)) + f.number("epsilon"));
  u.setSlot("momentum", now);
  Value mean = (u.weight - old * (1 - b1)) / b1;
  mean = mean + (now - mean) / u.step;
  return now * (1 - b1) + mean * b1;
}

constexpr OptimizerRow kOptimizers[] = {
    {{"sgd", kSgd}, 0.01, sgd},
    {{"rmsprop", kRmsprop}, 0.001, rmsprop},
    {{"adagrad", kAdagrad}, 0.001, adagrad},
    {{"adadelta", kAdadelta}, 0.001, adadelta},
    {{"adam", kAdam}, 0.001, adam},
    {{"adamw", kAdamw}, 0.001, adamw},
    {{"adamax", kMoments}, 0.001, adamax},
    {{"nadam", kMoments}, 0.001, nadam},
    {{"ftrl", kFtrl}, 0.001, ftrl},
    {{"lion", kLion}, 0.001, lion},
    {{"lamb", kMoments}, 0.001, lamb},
    {{"adafactor", kAdafactor}, 0.001, adafactor},
    {{"muon", kMuon}, 0.001, muon, muonDecay},
    {{"schedule_free_adamw", kScheduleFree}, 0.0025, scheduleFreeAdamw},
};

// What all have.
constexpr Argument kEveryOptimizer[] = {
    text("name"),
    json("learning_rate|lr", checkRate),
    number("decay", kNotNegative, 0),
    number("weight_decay", kNotNegative, 0),
    number("clipnorm", kPositive),
    number("global_clipnorm", kPositive),
    number("clipvalue", kPositive),
    // Keras has a method for it, and writes nothing of it.
    texts("exclude_from_weight_decay").checkedBy(checkParts),
    flag("use_ema", false),
    number("ema_momentum", kShare, 0.99),
    whole("ema_overwrite_frequency", kCount),
    // The loss times this, the gradients divided by it: nothing, in float32.
    number("loss_scale_factor", kPositive),
    whole("gradient_accumulation_steps", kCount),
    only("jit_compile", "true|false"),
    only("is_legacy_optimizer", "true|false"),
};

}  // namespace

std::span<const OptimizerRow> optimizerRows() { return kOptimizers; }

namespace {

constexpr Argument kLossScaleArguments[] = {
    described("inner_optimizer", checkOptimizer).isNeeded(),
    number("initial_scale", kPositive, 32768),
    whole("dynamic_growth_steps", kCount, 2000),
    text("name"),
};
constexpr Named kLossScale{"loss_scale_optimizer", kLossScaleArguments};

}  // namespace

/// Keras wraps another optimizer in it where a model computes in half floats.
Result<Optimizer> Optimizer::scaled(std::shared_ptr<const Json> kept) {
  FJORD_TRY(Fields f, fieldsOf(kLossScale, {}, *kept));
  FJORD_TRY(Optimizer inner, of(f.json("inner_optimizer")));
  if (inner.lossScale_)
    return fail("loss_scale_optimizer: inner_optimizer must be another optimizer, got ",
                shown(f.json("inner_optimizer")));
  inner.lossScale_ = {f.number("initial_scale"), f.number("dynamic_growth_steps")};
  return inner;
}

Result<Optimizer> Optimizer::of(const Json& description) {
  auto kept = std::make_shared<const Json>(description);
  std::optional<Choice> asked = choiceOf(*kept);
  if (asked && isCalled(kLossScale, asked->name)) return scaled(kept);
  FJORD_TRY(auto choice, chosen("optimizer", kOptimizers, *kept, kEveryOptimizer));
  Optimizer optimizer(kept, choice);
  auto rate = std::make_shared<const Json>(optimizer.fields_.json("learning_rate"));
  if (rate->is_object()) {
    FJORD_TRY(optimizer.schedule_, scheduleOf(*rate));
    optimizer.rate_ = std::move(rate);
  }
  return optimizer;
}

Table optimizerTable() {
  return {"optimizer",
          {std::begin(kOptimizers), std::end(kOptimizers)},
          kEveryOptimizer,
          checkOptimizer};
}

Table lossScaleTable() { return {"optimizer", {kLossScale}, {}, checkOptimizer}; }

Status checkOptimizer(const Json& description) {
  auto optimizer = Optimizer::of(description);
  return optimizer ? Status() : std::unexpected(optimizer.error());
}

double Optimizer::rate(int64_t step) const {
  auto t = static_cast<double>(step);
  double rate = schedule_                      ? schedule_->row->rate(schedule_->fields, t)
                : fields_.has("learning_rate") ? fields_.number("learning_rate")
                                               : row_->rate;
  // TensorFlow.js's Adamax and Keras 2: 1 / (1 + decay * step).
  bool isRho = row_->update == rmsprop && !saysRho(fields_);
  return fields_.has("decay") && !isRho ? rate / (1 + fields_.number("decay") * t) : rate;
}

}  // namespace fjord
