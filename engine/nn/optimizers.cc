#include "nn/optimizers.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "graph/graph.h"

namespace fjord {

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

double epsilonOf(const Json& c, double fallback = 1e-7) { return numberOr(c, "epsilon", fallback); }

Value sgd(UpdateContext& u, const Json& c) {
  double momentum = numberOr(c, "momentum", 0);
  if (momentum == 0) return u.weight - u.gradient * u.rate;
  Value velocity = u.slot("momentum") * momentum - u.gradient * u.rate;
  u.setSlot("momentum", velocity);
  return boolOr(c, "nesterov", false) ? u.weight + velocity * momentum - u.gradient * u.rate
                                      : u.weight + velocity;
}

/// Tieleman and Hinton 2012.
Value rmsprop(UpdateContext& u, const Json& c) {
  double rho = numberOr(c, "rho", 0.9), momentum = numberOr(c, "momentum", 0);
  Value scale = average(u, "velocity", square(u.gradient), rho);
  if (boolOr(c, "centered", false))
    scale = scale - square(average(u, "average_gradient", u.gradient, rho));
  Value increment = u.rate * u.gradient * rsqrt(scale + epsilonOf(c));
  if (momentum == 0) return u.weight - increment;
  Value m = u.slot("momentum") * momentum + increment;
  u.setSlot("momentum", m);
  return u.weight - m;
}

/// Duchi, Hazan, Singer 2011.
Value adagrad(UpdateContext& u, const Json& c) {
  Value total =
      u.slot("accumulator", numberOr(c, "initial_accumulator_value", 0.1)) + square(u.gradient);
  u.setSlot("accumulator", total);
  return u.weight - u.rate * u.gradient * rsqrt(total + epsilonOf(c));
}

/// Zeiler 2012.
Value adadelta(UpdateContext& u, const Json& c) {
  double rho = numberOr(c, "rho", 0.95), epsilon = epsilonOf(c);
  Value squares = average(u, "accumulated_grad", square(u.gradient), rho);
  Value delta =
      sqrt(u.slot("accumulated_delta_var") + epsilon) * u.gradient * rsqrt(squares + epsilon);
  average(u, "accumulated_delta_var", square(delta), rho);
  return u.weight - u.rate * delta;
}

/// Kingma and Ba 2015, with the bias correction folded into the rate; AMSGrad: Reddi, Kale, Kumar
/// 2018.
Value adam(UpdateContext& u, const Json& c) {
  double b1 = numberOr(c, "beta_1", 0.9), b2 = numberOr(c, "beta_2", 0.999);
  Value m = average(u, "momentum", u.gradient, b1),
        v = average(u, "velocity", square(u.gradient), b2);
  Value rate = u.rate * sqrt(seen(u, b2)) / seen(u, b1);
  if (boolOr(c, "amsgrad", false)) {
    v = maximum(u.slot("velocity_hat"), v);
    u.setSlot("velocity_hat", v);
  }
  return u.weight - m * rate / (sqrt(v) + epsilonOf(c));
}

/// Loshchilov and Hutter 2019: the decay is of the weight, not of the loss.
Value adamw(UpdateContext& u, const Json& c) { return adam(u, c); }

Value adamax(UpdateContext& u, const Json& c) {
  double b1 = numberOr(c, "beta_1", 0.9), b2 = numberOr(c, "beta_2", 0.999);
  Value m = average(u, "momentum", u.gradient, b1);
  Value top = maximum(u.slot("norm") * b2, abs(u.gradient));
  u.setSlot("norm", top);
  return u.weight - u.rate / seen(u, b1) * m / (top + epsilonOf(c));
}

/// Dozat 2016. The momentum of step t is b1 (1 - 0.5 * 0.96^t).
Value nadam(UpdateContext& u, const Json& c) {
  double b1 = numberOr(c, "beta_1", 0.9), b2 = numberOr(c, "beta_2", 0.999);
  auto momentumAt = [&](Value t) { return b1 * (1.0 - 0.5 * exp(t * std::log(0.96))); };
  Value now = momentumAt(u.step), next = momentumAt(u.step + 1.0);
  // One number for the whole weight, kept in a slot of its shape.
  Value product = u.slot("momentum_product", 1) * now;
  u.setSlot("momentum_product", product);
  Value m = average(u, "momentum", u.gradient, b1),
        v = average(u, "velocity", square(u.gradient), b2);
  Value mHat = next * m / (1.0 - product * next) + (1.0 - now) * u.gradient / (1.0 - product);
  return u.weight - u.rate * mHat / (sqrt(v / seen(u, b2)) + epsilonOf(c));
}

/// McMahan et al. 2013: "Ad click prediction".
Value ftrl(UpdateContext& u, const Json& c) {
  double power = numberOr(c, "learning_rate_power", -0.5),
         start = numberOr(c, "initial_accumulator_value", 0.1);
  double l1 = numberOr(c, "l1_regularization_strength", 0),
         l2 = numberOr(c, "l2_regularization_strength", 0);
  double shrinkage = numberOr(c, "l2_shrinkage_regularization_strength", 0),
         beta = numberOr(c, "beta", 0);
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
Value lion(UpdateContext& u, const Json& c) {
  double b1 = numberOr(c, "beta_1", 0.9), b2 = numberOr(c, "beta_2", 0.99);
  Value m = u.slot("momentum");
  Value direction = sign(m * b1 + u.gradient * (1 - b1));
  u.setSlot("momentum", m * b2 + u.gradient * (1 - b2));
  return u.weight - u.rate * direction;
}

constexpr OptimizerRow kOptimizers[] = {
    {"sgd", 0.01, sgd},          {"rmsprop", 0.001, rmsprop},
    {"adagrad", 0.001, adagrad}, {"adadelta", 0.001, adadelta},
    {"adam", 0.001, adam},       {"adamw", 0.001, adamw},
    {"adamax", 0.001, adamax},   {"nadam", 0.001, nadam},
    {"ftrl", 0.001, ftrl},       {"lion", 0.001, lion},
};

}  // namespace

std::span<const OptimizerRow> optimizerRows() { return kOptimizers; }

Result<const OptimizerRow*> findOptimizer(std::string_view name) {
  std::string wanted = canonicalName(name);
  auto row = std::ranges::find(kOptimizers, std::string_view(wanted), &OptimizerRow::name);
  if (row != std::end(kOptimizers)) return row;
  std::string known;
  for (const OptimizerRow& r : kOptimizers) known += cat(known.empty() ? "" : ", ", r.name);
  return fail("unknown optimizer \"", name, "\"; known are ", known);
}

void clipGradients(const Json& c, std::vector<Value>& gradients) {
  double value = numberOr(c, "clipvalue", 0), norm = numberOr(c, "clipnorm", 0),
         global = numberOr(c, "global_clipnorm", 0);
  if (gradients.empty()) return;
  auto scaledTo = [](Value g, Value squares, double most) {
    // g * most / max(|g|, most): unchanged within the bound.
    Value length = sqrt(squares);
    return g * (most / maximum(length, like(length, most)));
  };
  if (norm > 0) {
    for (Value& g : gradients) g = scaledTo(g, sum(square(g)), norm);
  } else if (global > 0) {
    Value squares;
    for (Value g : gradients) squares = squares ? squares + sum(square(g)) : sum(square(g));
    for (Value& g : gradients) g = scaledTo(g, squares, global);
  } else if (value > 0) {
    for (Value& g : gradients) g = clip(g, like(g, -value), like(g, value));
  }
}

// ---- schedules

namespace {

double cosineDecay(const Json& c, double rate, double t) {
  double warmup = numberOr(c, "warmup_steps", 0), steps = numberOr(c, "decay_steps", 1),
         alpha = numberOr(c, "alpha", 0);
  double top = numberOr(c, "warmup_target", rate);
  if (member(c, "warmup_target").is_number()) {
    if (t < warmup) return rate + (top - rate) * t / warmup;
    t -= warmup;
    rate = top;
  }
  double share = 0.5 * (1 + std::cos(std::numbers::pi * std::min(t, steps) / steps));
  return rate * ((1 - alpha) * share + alpha);
}

/// Loshchilov and Hutter 2017: SGDR.
double cosineRestarts(const Json& c, double rate, double t) {
  double first = numberOr(c, "first_decay_steps", 1), longer = numberOr(c, "t_mul", 2),
         lower = numberOr(c, "m_mul", 1);
  double alpha = numberOr(c, "alpha", 0), factor = 1, period = first;
  // A t_mul below 1 has a last period, after which Keras has no rate either.
  while (t >= period && period > 0) {
    t -= period;
    period *= longer;
    factor *= lower;
  }
  return rate *
         ((1 - alpha) * factor * 0.5 * (1 + std::cos(std::numbers::pi * t / period)) + alpha);
}

double polynomialDecay(const Json& c, double rate, double t) {
  double steps = numberOr(c, "decay_steps", 1), end = numberOr(c, "end_learning_rate", 1e-4),
         power = numberOr(c, "power", 1);
  if (boolOr(c, "cycle", false)) {
    steps *= std::max(1.0, std::ceil(t / steps));
  } else {
    t = std::min(t, steps);
  }
  return (rate - end) * std::pow(1 - t / steps, power) + end;
}

Result<double> piecewise(const Json& c, double t) {
  const Json &boundaries = member(c, "boundaries"), &values = member(c, "values");
  if (!boundaries.is_array() || !values.is_array() || values.size() != boundaries.size() + 1) {
    return fail("PiecewiseConstantDecay needs one more value than boundaries");
  }
  size_t i = 0;
  while (i < boundaries.size() && boundaries[i].is_number() && t > boundaries[i].get<double>()) ++i;
  return values[i].is_number() ? values[i].get<double>() : 0.0;
}

}  // namespace

Result<double> learningRate(const Json& config, double fallback, int64_t step) {
  const Json& given = member(config, "learning_rate");
  if (given.is_null()) return fallback;
  if (given.is_number()) return given.get<double>();
  std::optional<Choice> choice = choiceOf(given);
  if (!choice) return fail("learning_rate is neither a number nor a schedule: ", given.dump());
  const Json& c = choice->config;
  std::string name = canonicalName(choice->name);
  double rate = numberOr(c, "initial_learning_rate", fallback), t = static_cast<double>(step);
  double steps = numberOr(c, "decay_steps", 1), decay = numberOr(c, "decay_rate", 1),
         power = t / steps;
  if (boolOr(c, "staircase", false)) power = std::floor(power);
  if (name == "exponentialdecay") return rate * std::pow(decay, power);
  if (name == "inversetimedecay") return rate / (1 + decay * power);
  if (name == "cosinedecay") return cosineDecay(c, rate, t);
  if (name == "cosinedecayrestarts" && numberOr(c, "first_decay_steps", 1) < 1)
    return fail("CosineDecayRestarts: first_decay_steps must be at least 1");
  if (name == "cosinedecayrestarts") return cosineRestarts(c, rate, t);
  if (name == "polynomialdecay") return polynomialDecay(c, rate, t);
  if (name == "piecewiseconstantdecay") return piecewise(c, t);
  return fail("unknown learning-rate schedule ", choice->name);
}

}  // namespace fjord
