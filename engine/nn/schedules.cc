// Learning rates that change from step to step.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "nn/optimizers.h"

namespace fjord {

using namespace arguments;

namespace {

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

}  // namespace

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

Table scheduleTable() {
  return {"schedule", {std::begin(kSchedules), std::end(kSchedules)}, {}, checkRate};
}

}  // namespace fjord
