#include "nn/recurrent.h"

#include <algorithm>

#include "ir/loop.h"

namespace fjord::layer_parts {

namespace {

/// [N,T,..] as [T,N,..], and back.
Value withAxesSwapped(Value x) {
  Shape perm;
  for (int i = 0; i < x.shape().rank(); ++i) perm.push(i < 2 ? 1 - i : i);
  return transpose(x, {.perm = perm});
}

/// A mask [N,T] as [T,N,1,..], whose slices choose among numbers of this shape.
Value masksOfSteps(Value mask, const Shape& each) {
  Value steps = withAxesSwapped(mask);
  Shape shape = steps.shape();
  for (int i = 1; i < each.rank(); ++i) shape.push(1);
  return reshape(steps, {.shape = shape});
}

Value zeros(Graph& graph, const Shape& shape) {
  return broadcastTo(constant(graph, 0), {.shape = shape});
}

/// The loop of one layer.
class Recurrence {
 public:
  Recurrence(LayerContext& c, const Fields& f, Inputs in, const Cell& cell)
      : c_(c), f_(f), in_(in), cell_(cell), graph_(*in[0].graph), loop_(graph_, in[0].shape()[1]) {}

  LayerOutputs run();

 private:
  std::vector<Value> initialStates();
  void applyMask(std::span<const Value> before);
  LayerOutputs finish();

  bool isStateful() const { return f_.flag("stateful"); }
  bool givesSequence() const { return f_.flag("return_sequences"); }

  LayerContext& c_;
  const Fields& f_;
  Inputs in_;
  const Cell& cell_;
  Graph& graph_;
  LoopBuilder loop_;
  std::vector<Value> kept_;   // of a stateful layer, as the last batch has left them
  Value y_;                   // what comes out of a step,
  std::vector<Value> after_;  // and the states after it
  int last_ = -1;             // what is carried that came out last
};

std::vector<Value> Recurrence::initialStates() {
  std::vector<Value> states;
  for (size_t i = 0; i < cell_.states.size(); ++i) {
    const Shape& shape = cell_.states[i];
    if (isStateful()) kept_.push_back(c_.kept(cat("state_", i), shape));
    bool isGiven = in_.size() > 1;
    states.push_back(isGiven ? in_[1 + i] : isStateful() ? kept_[i] : zeros(graph_, shape));
  }
  return states;
}

/// In a step that does not count states stay, and what came out last comes out again; before the first
/// step that counts, and always where that is asked for, 0.
void Recurrence::applyMask(std::span<const Value> before) {
  Value counts = loop_.scan(masksOfSteps(in_.mask(0), y_.shape()), f_.flag("go_backwards"));
  bool startsAtZero = in_.size() == 1 && !isStateful();
  bool zeroes = f_.flag("zero_output_for_mask");
  if (!startsAtZero && !zeroes) last_ = -1;  // the state is not 0 before the first step
  if (zeroes) {
    y_ = where(counts, y_, 0.0);
    last_ = -1;
  } else if (last_ >= 0) {
    y_ = where(counts, y_, before[last_]);
  } else {
    Value last = loop_.carry(zeros(graph_, y_.shape()));
    y_ = where(counts, y_, last);
    loop_.next(last, y_);
    last_ = static_cast<int>(before.size());
  }
  for (size_t i = 0; i < after_.size(); ++i) after_[i] = where(counts, after_[i], before[i]);
}

LayerOutputs Recurrence::run() {
  bool backwards = f_.flag("go_backwards");
  std::vector<Value> step{loop_.scan(withAxesSwapped(in_[0]), backwards)}, before;
  for (Value state : initialStates()) before.push_back(loop_.carry(state));
  step.insert(step.end(), before.begin(), before.end());
  LayerOutputs out = cell_.call(c_, f_, {step});
  if (!out) {
    loop_.finish();  // an error within it is the graph's
    return {};
  }
  y_ = out.values[0];
  after_.assign(out.values.begin() + 1, out.values.end());
  auto state = std::ranges::find(after_, y_);
  if (state != after_.end()) last_ = static_cast<int>(state - after_.begin());
  if (in_.mask(0)) applyMask(before);
  if (last_ < 0 && !givesSequence()) {
    Value last = loop_.carry(zeros(graph_, y_.shape()));
    loop_.next(last, y_);
    last_ = static_cast<int>(before.size());
  }
  for (size_t i = 0; i < before.size(); ++i) loop_.next(before[i], after_[i]);
  if (givesSequence()) loop_.collect(y_);
  return finish();
}

LayerOutputs Recurrence::finish() {
  std::vector<Value> results = loop_.finish();
  if (!graph_.status()) return {};
  for (size_t i = 0; i < kept_.size(); ++i) c_.update(kept_[i], results[i]);
  LayerOutputs out;
  out.values.push_back(givesSequence() ? withAxesSwapped(results.back()) : results[last_]);
  if (givesSequence() && in_.mask(0)) out.masks = {in_.mask(0)};
  if (f_.flag("return_state"))
    out.values.insert(out.values.end(), results.begin(), results.begin() + cell_.states.size());
  return out;
}

}  // namespace

bool areStates(Inputs in, std::span<const Shape> states) {
  Graph& graph = *in[0].graph;
  if (in.size() != 1 && in.size() != 1 + states.size()) {
    graph.fail(cat("has ", states.size(), " states, got ", in.size() - 1));
    return false;
  }
  for (size_t i = 1; i < in.size(); ++i) {
    if (in[i].type() == Type{DType::kF32, states[i - 1]}) continue;
    graph.fail(cat("state number ", i - 1, " is to be ", Type{DType::kF32, states[i - 1]}, ", got ",
                   in[i].type()));
    return false;
  }
  return true;
}

LayerOutputs recur(LayerContext& c, const Fields& f, Inputs in, const Cell& cell) {
  return areStates(in, cell.states) ? Recurrence(c, f, in, cell).run() : LayerOutputs();
}

Value dropped(LayerContext& c, const Fields& f, const char* rate, Value x) {
  if (!c.training || f.number(rate) == 0) return x;
  // No draw depends on the step, so all leave the loop, and are made once.
  Value ones = broadcastTo(constant(*x.graph, 1), {.shape = x.shape()});
  // The two of a cell are different draws.
  Draw draw = drawOf(c, f, *x.graph, rate == std::string_view("dropout") ? 0 : 1);
  return x * dropout(ones, draw.state,
                     {.rate = static_cast<float>(f.number(rate)), .stream = draw.stream});
}

Value biasOfGates(LayerContext& c, const Fields& f, int32_t n) {
  Json initializer = f.json("bias_initializer");
  if (f.flag("unit_forget_bias"))
    initializer = Json::array({initializer, "ones", initializer, initializer});
  return c.weight("bias", {int64_t{4} * n}, initializer, true, f.json("bias_regularizer"),
                  f.json("bias_constraint"));
}

LayerOutputs afterGates(LayerContext& c, const Fields& f, Value z, Value state) {
  std::vector<Value> gates = split(z, 4, -1);
  if (gates.size() != 4) return {};
  auto gate = [&](int i) { return activated(c, f.json("recurrent_activation"), gates[i]); };
  auto bent = [&](Value x) { return activated(c, f.json("activation"), x); };
  Value next = gate(1) * state + gate(0) * bent(gates[2]);
  Value h = gate(3) * bent(next);
  return h ? LayerOutputs{{h, h, next}} : LayerOutputs();
}

}  // namespace fjord::layer_parts
