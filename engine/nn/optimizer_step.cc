// What a step of every optimizer has around the rule of its row: gradients of several steps, clipping, decay,
// averages of weights.
#include <algorithm>

#include "ir/graph.h"
#include "nn/optimizers.h"

namespace fjord {

bool UpdateContext::isNamed(const std::vector<std::string>& parts) const {
  return std::ranges::any_of(parts, [&](const std::string& part) { return name.contains(part); });
}

void UpdateContext::setSlot(std::string_view name, Value value) {
  if (!value) return;
  Value old = slot(name, value.shape(), 0);
  assign(old, applies ? where(applies, value, old) : value);
}

namespace {

/// The mean of the gradients of several steps, whose sum waits in a slot until the last of them.
Value accumulated(UpdateContext& u, double steps, Value isLast) {
  Value total = u.slot("gradient_accumulator") + u.gradient;
  u.setSlot("gradient_accumulator", where(isLast, 0.0, total));
  return total / steps;
}

/// Both conditions, either of which may be empty: always.
Value both(Value a, Value b) { return a && b ? a & b : a ? a : b; }

}  // namespace

// What is doubled without end would be no number, and no step be taken any more.
constexpr double kMostScale = 0x1p+127;

/// Whether gradients times the scale of losses are finite, and this is how many such steps there were; the
/// scale goes on from there. Micikevicius et al. 2018. In float32 gradients are what they are without a
/// scale, but for those that it takes beyond all numbers.
Value Optimizer::areFinite(std::span<UpdateContext* const> weights, UpdateContext& whole,
                           Value& step) const {
  Value scale = whole.slot("scale", {}, lossScale_->first);
  Value inRow = whole.slot("finite_in_row", {}, 0), taken = whole.slot("steps", {}, 0);
  Value finite;
  for (UpdateContext* u : weights) finite = both(finite, all(isFinite(u->gradient * scale)));
  Value grows = inRow >= lossScale_->growthSteps - 1;
  whole.setSlot("scale",
                where(finite, where(grows, minimum(scale * 2.0, like(scale, kMostScale)), scale),
                      scale * 0.5));
  whole.setSlot("finite_in_row", where(finite & logicalNot(grows), inRow + 1.0, 0.0));
  whole.setSlot("steps", where(finite, taken + 1.0, taken));
  step = taken + 1.0;
  return finite;
}

std::vector<Value> Optimizer::update(std::span<UpdateContext* const> weights, UpdateContext& whole,
                                     Value rate, Value step) const {
  Graph& graph = *rate.graph;
  bool isSet = fields_.has("gradient_accumulation_steps");
  double every = isSet ? fields_.number("gradient_accumulation_steps") : 1;
  bool waits = every > 1;
  Value runs = lossScale_ ? areFinite(weights, whole, step) : Value{};
  Value isLast = waits ? equal(mod(step, like(step, every)), like(step, 0)) : Value{};
  std::vector<Value> gradients, next;
  for (UpdateContext* u : weights) {
    u->rate = rate;
    u->step = waits ? floorDiv(step - 1.0, like(step, every)) + 1.0 : step;
    u->before = u->weight;
    u->applies = runs;
    gradients.push_back(waits ? accumulated(*u, every, isLast) : u->gradient);
  }
  clip(gradients);
  graph.beginUpdates();
  for (size_t i = 0; i < weights.size(); ++i) {
    UpdateContext& u = *weights[i];
    std::optional<Graph::Scope> scope;
    if (!u.name.empty()) scope.emplace(graph, u.name);
    u.gradient = gradients[i];
    u.applies = both(runs, isLast);
    // Rows alone are changed where nothing but the weight itself is.
    u.changesRows = u.changesRows && !waits && !runs && !hasAverages();
    Value result = applied(u);
    // The average of weights goes on in a step that only accumulates.
    u.applies = runs;
    result = averaged(u, result);
    next.push_back(runs ? where(runs, result, u.before) : result);
  }
  return next;
}

bool Optimizer::decays(const UpdateContext& u) const {
  return !u.isNamed(fields_.texts("exclude_from_weight_decay"));
}

Value Optimizer::applied(UpdateContext& u) const {
  double decay = row_->decay ? row_->decay(u, fields_) : fields_.number("weight_decay");
  if (decay != 0 && decays(u)) u.weight = u.weight - u.weight * u.rate * decay;
  Value next = row_->update(u, fields_);
  return u.applies ? where(u.applies, next, u.before) : next;
}

/// Polyak and Juditsky 1992. The average begins with the first weights, and goes on in each step, also
/// in one that changes nothing.
Value Optimizer::averaged(UpdateContext& u, Value next) const {
  if (!hasAverages()) return next;
  Value kept = where(u.step > 1.0, fields_.number("ema_momentum"), like(u.step, 0));
  Value now = u.slot(kAverage) * kept + next * (1.0 - kept);
  u.setSlot(kAverage, now);
  if (!fields_.has("ema_overwrite_frequency")) return next;
  Value every = like(u.step, fields_.number("ema_overwrite_frequency"));
  return where(equal(mod(u.step, every), like(u.step, 0)), now, next);
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

Status Optimizer::checkForVariables() const {
  if (hasAverages())
    return fail("use_ema is of models, whose weights are their averages once they are trained");
  for (const char* key : {"exclude_from_weight_decay", "exclude_layers"}) {
    if (fields_.knows(key) && !fields_.texts(key).empty())
      return fail(key, " is of models, whose weights have names");
  }
  return {};
}

}  // namespace fjord
