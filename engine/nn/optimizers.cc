#include "nn/optimizers.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ir/graph.h"

namespace fjord {

using namespace arguments;

namespace {

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
Value adam(UpdateContext& u, const Fields& f) {
  double b1 = f.number("beta_1"), b2 = f.number("beta_2");
  Value m = average(u, "momentum", u.gradient, b1),
        v = average(u, "velocity", square(u.gradient), b2);
  Value rate = u.rate * sqrt(seen(u, b2)) / seen(u, b1);
  if (f.flag("amsgrad")) {
    v = maximum(u.slot("velocity_hat"), v);
    u.setSlot("velocity_hat", v);
  }
  return u.weight - m * rate / (sqrt(v) + f.number("epsilon"));
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
};

// ---- schedules

constexpr Argument kSchedule[] = {number("initial_learning_rate", kNotNegative).isNeeded(),
                                  text("name")};
constexpr Argument kSteps[] = {number("decay_steps", kPositive).isNeeded(), also(kSchedule)};
constexpr Argument kDecay[] = {number("decay_rate", kNotNegative).isNeeded(),
                               flag("staircase", false), also(kSteps)};

/// Steps in units of decay_steps.
double elapsed(const Fields& f, double t) {
  double power = t / f.number("decay_steps");
  return f.flag("staircase") ? std::floor(power) : power;
}
double exponentialDecay(const Fields& f, double t) {
  return f.number("initial_learning_rate") * std::pow(f.number("decay_rate"), elapsed(f, t));
}
double inverseTimeDecay(const Fields& f, double t) {
  return f.number("initial_learning_rate") / (1 + f.number("decay_rate") * elapsed(f, t));
}

constexpr Argument kCosine[] = {number("alpha", kFinite, 0),
                                number("warmup_steps", kNotNegative, 0),
                                number("warmup_target", kNotNegative), also(kSteps)};
double cosineDecay(const Fields& f, double t) {
  double rate = f.number("initial_learning_rate"), warmup = f.number("warmup_steps"),
         steps = f.number("decay_steps"), alpha = f.number("alpha");
  if (f.has("warmup_target")) {
    double top = f.number("warmup_target");
    if (t < warmup) return rate + (top - rate) * t / warmup;
    t -= warmup;
    rate = top;
  }
  double share = 0.5 * (1 + std::cos(std::numbers::pi * std::min(t, steps) / steps));
  return rate * ((1 - alpha) * share + alpha);
}

/// Loshchilov and Hutter 2017: SGDR.
constexpr Range kFromOne{1, kMostFloat};
constexpr Argument kRestarts[] = {number("first_decay_steps", kFromOne).isNeeded(),
                                  number("t_mul", kPositive, 2), number("m_mul", kNotNegative, 1),
                                  number("alpha", kFinite, 0), also(kSchedule)};
double cosineRestarts(const Fields& f, double t) {
  double longer = f.number("t_mul"), lower = f.number("m_mul"), alpha = f.number("alpha");
  double factor = 1, period = f.number("first_decay_steps");
  // A t_mul below 1 has a last period, after which Keras has no rate either.
  while (t >= period && period > 0) {
    t -= period;
    period *= longer;
    factor *= lower;
  }
  return f.number("initial_learning_rate") *
         ((1 - alpha) * factor * 0.5 * (1 + std::cos(std::numbers::pi * t / period)) + alpha);
}

constexpr Argument kPolynomial[] = {number("end_learning_rate", kNotNegative, 1e-4),
                                    number("power", kNotNegative, 1), flag("cycle", false),
                                    also(kSteps)};
double polynomialDecay(const Fields& f, double t) {
  double rate = f.number("initial_learning_rate"), end = f.number("end_learning_rate"),
         steps = f.number("decay_steps");
  if (f.flag("cycle")) {
    steps *= std::max(1.0, std::ceil(t / steps));
  } else {
    t = std::min(t, steps);
  }
  return (rate - end) * std::pow(1 - t / steps, f.number("power")) + end;
}

constexpr Argument kPiecewise[] = {numbers("boundaries", kNotNegative).isNeeded(),
                                   numbers("values", kNotNegative).isNeeded(), text("name")};
double piecewise(const Fields& f, double t) {
  size_t i = 0;
  while (i < f.count("boundaries") && t > f.numberAt("boundaries", i)) ++i;
  return f.numberAt("values", i);
}

constexpr ScheduleRow kSchedules[] = {
    {{"exponential_decay", kDecay}, exponentialDecay},
    {{"inverse_time_decay", kDecay}, inverseTimeDecay},
    {{"cosine_decay", kCosine}, cosineDecay},
    {{"cosine_decay_restarts", kRestarts}, cosineRestarts},
    {{"polynomial_decay", kPolynomial}, polynomialDecay},
    {{"piecewise_constant_decay", kPiecewise}, piecewise},
};

Result<Chosen<ScheduleRow>> scheduleOf(const Json& rate) {
  FJORD_TRY(auto schedule, chosen("learning-rate schedule", kSchedules, rate));
  if (schedule.row->rate == piecewise &&
      schedule.fields.count("values") != schedule.fields.count("boundaries") + 1)
    return fail("piecewise_constant_decay: values must be one more than boundaries");
  return schedule;
}

Status checkRate(const Json& rate) {
  if (std::optional<double> x = numberIn(rate)) {
    if (*x >= 0 && *x <= kMostFloat) return {};
  } else if (rate.is_object()) {
    auto schedule = scheduleOf(rate);
    return schedule ? Status() : std::unexpected(schedule.error());
  }
  return fail("must be a finite number of at least 0, or a schedule, got ", shown(rate));
}

// What all have. Averages of weights and sums over several steps are not done: a step is one update.
constexpr Argument kEveryOptimizer[] = {
    text("name"),
    json("learning_rate|lr", checkRate),
    number("decay", kNotNegative, 0),
    number("weight_decay", kNotNegative, 0),
    number("clipnorm", kPositive),
    number("global_clipnorm", kPositive),
    number("clipvalue", kPositive),
    only("use_ema", "false"),
    number("ema_momentum", kShare, 0.99),
    whole("ema_overwrite_frequency", kCount),
    // The loss times this, the gradients divided by it: nothing, in float32.
    number("loss_scale_factor", kPositive),
    only("gradient_accumulation_steps", "1"),
    only("jit_compile", "true|false"),
    only("is_legacy_optimizer", "true|false"),
};

}  // namespace

std::span<const OptimizerRow> optimizerRows() { return kOptimizers; }

Result<Optimizer> Optimizer::of(const Json& description) {
  auto kept = std::make_shared<const Json>(description);
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
Table scheduleTable() {
  return {"schedule", {std::begin(kSchedules), std::end(kSchedules)}, {}, checkRate};
}

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

Value Optimizer::update(UpdateContext& u) const {
  double decay = fields_.number("weight_decay");
  if (decay != 0) u.weight = u.weight - u.weight * u.rate * decay;
  return row_->update(u, fields_);
}

void Optimizer::clip(std::vector<Value>& gradients) const {
  if (gradients.empty()) return;
  auto scaledTo = [](Value g, Value squares, double most) {
    // g * most / max(|g|, most): unchanged within the bound.
    Value length = sqrt(squares);
    return g * (most / maximum(length, like(length, most)));
  };
  if (fields_.has("clipnorm")) {
    for (Value& g : gradients) g = scaledTo(g, sum(square(g)), fields_.number("clipnorm"));
  } else if (fields_.has("global_clipnorm")) {
    Value squares;
    for (Value g : gradients) squares = squares ? squares + sum(square(g)) : sum(square(g));
    for (Value& g : gradients) g = scaledTo(g, squares, fields_.number("global_clipnorm"));
  } else if (fields_.has("clipvalue")) {
    double most = fields_.number("clipvalue");
    for (Value& g : gradients) g = fjord::clip(g, like(g, -most), like(g, most));
  }
}

}  // namespace fjord
