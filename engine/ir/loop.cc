#include "ir/loop.h"

#include <algorithm>

namespace fjord {

std::vector<int32_t> nextsOf(const Graph& body) {
  std::vector<int32_t> nexts(body.inputs().size(), -1);
  for (const Assignment& a : body.assignments())
    nexts[body.nodes()[a.input].attrs.as<InputAttrs>().index] = a.value;
  return nexts;
}

Type sliceOf(const Type& type) {
  Type slice{type.dtype, {}};
  for (int i = 1; i < type.shape.rank(); ++i) slice.shape.push(type.shape[i]);
  return slice;
}

Type stackOf(const Type& slice, int32_t trips) {
  Type stack{slice.dtype, {trips}};
  for (int32_t n : slice.shape) stack.shape.push(n);
  return stack;
}

// ---- the node

namespace {

constexpr std::string_view kWords[] = {"captured", "carried", "scanned", "scanned in reverse"};

Status checkInput(LoopInput kind, const Type& outside, const Node& inside, bool isAssigned,
                  int32_t trips) {
  Type wanted = isScanned(kind) ? stackOf(inside.type, trips) : inside.type;
  std::string_view word = kWords[static_cast<size_t>(kind)];
  if (outside != wanted) return fail(word, " is ", outside, ", the body takes ", wanted);
  if (isAssigned != (kind == LoopInput::kCarried))
    return fail(word, isAssigned ? " has a next value" : " has no next value");
  if (inside.attrs.as<InputAttrs>().isParameter != (kind == LoopInput::kCaptured))
    return fail("what is captured, and nothing else, is a parameter of the body");
  return {};
}

}  // namespace

Result<std::vector<Type>> typesOfLoop(std::span<const Type> in, const Attrs& attrs) {
  const auto& loop = attrs.as<LoopAttrs>();
  if (!loop.body) return fail("there is no body");
  const Graph& body = *loop.body;
  FJORD_CHECK(body.status());
  if (loop.trips < 0) return fail("the number of trips must not be negative, got ", loop.trips);
  if (in.size() != loop.inputs.size() || in.size() != body.inputs().size())
    return fail("the body takes ", body.inputs().size(), " inputs, the loop has ", in.size());
  if (loop.reversed.size() != body.outputs().size())
    return fail("the body has ", body.outputs().size(), " outputs, the loop collects ",
                loop.reversed.size());
  std::vector<int32_t> nexts = nextsOf(body);
  std::vector<Type> results;
  for (size_t i = 0; i < in.size(); ++i) {
    const Node& inside = body.nodes()[body.inputs()[i]];
    FJORD_CHECK(checkInput(loop.inputs[i], in[i], inside, nexts[i] >= 0, loop.trips));
    if (nexts[i] >= 0) results.push_back(inside.type);
  }
  for (int32_t id : body.outputs()) results.push_back(stackOf(body.nodes()[id].type, loop.trips));
  return results;
}

// ---- the builder

LoopBuilder::LoopBuilder(Graph& graph, int trips)
    : graph_(graph), body_(std::make_shared<Graph>(&graph)), trips_(trips) {}

Value LoopBuilder::add(LoopInput kind, Value outside, const Type& type) {
  Value inside = body_->input(type);
  inputs_.push_back({inside, outside, {}, kind});
  return inside;
}

Value LoopBuilder::carry(Value initial) {
  initial = graph_.capture(initial);
  return initial ? add(LoopInput::kCarried, initial, initial.type()) : Value{};
}

Value LoopBuilder::scan(Value xs, bool reversed) {
  xs = graph_.capture(xs);
  if (!xs) return {};
  if (xs.shape().empty() || xs.shape()[0] != trips_) {
    graph_.fail(cat("loop: what is scanned is ", xs.type(), ", its first axis must be the ", trips_,
                    " trips"));
    return {};
  }
  return add(reversed ? LoopInput::kScannedReversed : LoopInput::kScanned, xs, sliceOf(xs.type()));
}

void LoopBuilder::next(Value carried, Value value) {
  auto input = std::ranges::find(inputs_, carried, &Input::inside);
  bool isCarried = input != inputs_.end() && input->kind == LoopInput::kCarried;
  if (isCarried) input->next = body_->capture(value);
  if (!isCarried && carried) graph_.fail("loop: a next value for what is not carried");
}

void LoopBuilder::collect(Value value, bool reversed) {
  outputs_.push_back(body_->capture(value));
  reversed_.push_back(reversed);
}

Status LoopBuilder::check() const {
  FJORD_CHECK(graph_.status());
  FJORD_CHECK(body_->status());
  for (const Input& input : inputs_) {
    if (input.kind != LoopInput::kCarried) continue;
    if (!input.next)
      return fail("loop: what is carried as ", input.inside.type(), " has no next value");
    if (input.next.type() != input.inside.type())
      return fail("loop: what is carried is ", input.inside.type(), ", its next value ",
                  input.next.type());
  }
  bool empty = std::ranges::any_of(outputs_, [](Value v) { return !v; });
  return empty ? fail("loop: what is collected is empty") : Status();
}

std::vector<Value> LoopBuilder::finish() {
  size_t carried =
      static_cast<size_t>(std::ranges::count(inputs_, LoopInput::kCarried, &Input::kind));
  std::vector<Value> results(carried + outputs_.size());
  if (Status status = check(); !status) {
    graph_.fail(status.error().message);
    return results;
  }
  LoopParts parts{body_, trips_, {}, {}, reversed_};
  size_t inputs = body_->inputs().size();
  parts.kinds.resize(inputs, LoopInput::kCaptured);
  parts.outside.resize(inputs);
  auto numberOf = [&](int32_t id) { return body_->nodes()[id].attrs.as<InputAttrs>().index; };
  for (const Graph::Capture& c : body_->captures())
    parts.outside[numberOf(c.inside)] = {&graph_, c.outside};
  for (const Input& input : inputs_) {
    parts.kinds[numberOf(input.inside.id)] = input.kind;
    parts.outside[numberOf(input.inside.id)] = input.outside;
    if (input.next) body_->assign(input.inside, input.next);
  }
  for (Value v : outputs_) body_->output(v);
  std::vector<Value> stacks = hoist(graph_, parts);
  parts.body->close();
  bool isEmpty = carried == 0 && parts.body->outputs().empty();
  if (!isEmpty && parts.outside.empty()) graph_.fail("loop: the body reads nothing");
  Value node = isEmpty
                   ? Value{}
                   : emit(OpId::loop, parts.outside,
                          Attrs::of(LoopAttrs{parts.body, trips_, parts.kinds, parts.reversed}));
  int index = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    bool isOutside = i >= carried && stacks[i - carried];
    results[i] = isOutside ? stacks[i - carried] : graph_.result(node, index++);
  }
  return results;
}

}  // namespace fjord
