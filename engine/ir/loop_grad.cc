// The gradient of a loop: a loop in reverse, whose trip t carries the gradients of what trip t has
// left to those of what it began with.
//
// It reads what the trip had computed: all of that which the gradients of the body's nodes ask for is
// collected by the loop itself, which is widened for that, and scanned in reverse. Nothing is
// computed twice, but for broadcasts, reshapes and large slices, which are read where they lie.
//
// The gradient of a captured value is a sum over all trips. That of a matrix is a product in each of
// them, of the trip's columns; it becomes one product after the loop, of the columns of all trips.
// Others are added up as the loop goes.
#include <algorithm>
#include <optional>

#include "ir/loop.h"

namespace fjord {

namespace {

class LoopGradient {
 public:
  LoopGradient(Value loop, std::span<const Value> dResults, const std::vector<bool>& wanted);
  std::vector<Value> run();

 private:
  /// An input of the body whose gradient is asked for.
  struct Input {
    LoopInput kind;
    Value outside;
    int32_t next = -1;  // of a carried one
    bool active = false;
    Value d;      // in work_: the gradient of what a trip begins with,
    Value dNext;  // and that of what it leaves
  };
  struct Product {
    int32_t input, a, b;
  };

  void findActive();
  void differentiate();
  void splitProducts(size_t input);
  void findNeeded();
  void save();
  Value compute(int32_t id);
  std::vector<Value> finish();

  bool isForward(int32_t id) const {
    // What a loop inside of the body has collected in addition is the forward loop's, too.
    const Node& n = work_->nodes()[id];
    return id < forward_ || (n.op == OpId::result && n.inputs[0] < forward_);
  }
  bool isFree(int32_t id) const {
    const Node& n = work_->nodes()[id];
    // Of a small part of an array, the rest would be collected for nothing.
    constexpr int64_t kMostRest = 4;
    bool isLarge = n.op == OpId::slice &&
                   work_->nodes()[n.inputs[0]].type.shape.size() <= kMostRest * n.type.shape.size();
    return isLarge || n.op == OpId::constant || n.op == OpId::broadcastTo || n.op == OpId::reshape;
  }
  int32_t numberOf(int32_t id) const { return work_->nodes()[id].attrs.as<InputAttrs>().index; }
  /// A value of the forward trip that is collected by the loop.
  bool isSaved(int32_t id) const {
    if (!isForward(id) || isFree(id) || work_->nodes()[id].op == OpId::array) return false;
    return work_->nodes()[id].op != OpId::input ||
           inputs_[numberOf(id)].kind == LoopInput::kCarried;
  }
  /// What there is of all trips, in their order, outside of the reverse loop.
  bool isStack(int32_t id) const {
    return isSaved(id) || (id < forward_ && work_->nodes()[id].op == OpId::input &&
                           inputs_[numberOf(id)].kind == LoopInput::kScanned);
  }

  Graph& graph_;
  Value loop_;
  LoopAttrs attrs_;
  std::vector<Value> dResults_;
  std::shared_ptr<Graph> work_;  // the body, and then its gradient
  int32_t forward_;              // nodes of the body
  std::vector<Input> inputs_;
  std::vector<std::pair<int32_t, Value>>
      seeds_;  // inputs of work_ and the stacks they are slices of
  std::vector<int32_t> seedOutputs_;
  std::vector<Product> products_;
  std::vector<std::vector<int32_t>> sums_;  // by input: terms that are added up in the loop
  std::vector<bool> needed_, kept_;         // nodes of work_: in the reverse body, and after it
  std::vector<Value> stacks_;               // of nodes that are saved, in the order of the trips
  std::vector<Value> values_;               // nodes of work_ -> in the reverse body
  std::optional<LoopBuilder> reverse_;
};

LoopGradient::LoopGradient(Value loop, std::span<const Value> dResults,
                           const std::vector<bool>& wanted)
    : graph_(*loop.graph),
      loop_(loop),
      attrs_(graph_.node(loop).attrs.as<LoopAttrs>()),
      dResults_(dResults.begin(), dResults.end()),
      work_(attrs_.body->copy()),
      forward_(static_cast<int32_t>(work_->nodes().size())),
      sums_(wanted.size()) {
  std::vector<int32_t> nexts = nextsOf(*work_);
  for (size_t i = 0; i < wanted.size(); ++i) {
    Value outside{&graph_, graph_.node(loop).inputs[i]};
    bool active = wanted[i] && outside.dtype() == DType::kF32;
    inputs_.push_back({attrs_.inputs[i], outside, nexts[i], active, {}, {}});
  }
}

/// What is carried matters as soon as it comes to depend on what is asked for.
void LoopGradient::findActive() {
  for (bool more = true; more;) {
    more = false;
    std::vector<Value> xs;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i].active) xs.push_back({work_.get(), work_->inputs()[i]});
    }
    std::vector<bool> depends = dependents(*work_, xs, forward_ - 1);
    for (Input& input : inputs_) {
      bool joins = input.next >= 0 && !input.active && depends[input.next] &&
                   input.outside.dtype() == DType::kF32;
      input.active = input.active || joins;
      more = more || joins;
    }
  }
}

void LoopGradient::differentiate() {
  std::vector<Seed> seeds;
  std::vector<Value> xs;
  size_t carried = 0;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    Input& input = inputs_[i];
    if (input.active) xs.push_back({work_.get(), work_->inputs()[i]});
    if (input.next < 0) continue;
    ++carried;
    if (!input.active) continue;
    input.dNext = work_->input(input.outside.type());
    seeds.push_back({{work_.get(), input.next}, input.dNext});
  }
  for (size_t i = carried; i < dResults_.size(); ++i) {
    if (!dResults_[i]) continue;
    size_t output = i - carried;
    Value y{work_.get(), work_->outputs()[output]};
    Value dy = work_->input(y.type());
    seeds.push_back({y, dy});
    seeds_.emplace_back(dy.id, dResults_[i]);
    seedOutputs_.push_back(static_cast<int32_t>(output));
  }
  std::vector<Value> d = gradients(*work_, seeds, xs);
  size_t k = 0;
  for (Input& input : inputs_) {
    if (input.active) input.d = d[k++];
  }
}

/// The terms of the gradient of a captured value: products of the columns of a trip, and others.
void LoopGradient::splitProducts(size_t input) {
  std::vector<int32_t> terms{inputs_[input].d.id};
  while (!terms.empty()) {
    int32_t id = terms.back();
    terms.pop_back();
    const Node& n = work_->nodes()[id];
    auto hasShape = [&](int32_t in) { return work_->nodes()[in].type == n.type; };
    bool isNew = id >= forward_;
    if (isNew && n.op == OpId::add && std::ranges::all_of(n.inputs, hasShape)) {
      terms.insert(terms.end(), n.inputs.rbegin(), n.inputs.rend());
      continue;
    }
    bool ofColumns = isNew && n.op == OpId::matMul && n.attrs.as<MatMulAttrs>().transposeA &&
                     !n.attrs.as<MatMulAttrs>().transposeB && n.type.shape.rank() == 2;
    for (int32_t in : n.inputs)
      ofColumns =
          ofColumns && int64_t{work_->nodes()[in].type.shape.size()} * attrs_.trips <= kMaxElements;
    if (ofColumns) {
      products_.push_back({static_cast<int32_t>(input), n.inputs[0], n.inputs[1]});
    } else {
      sums_[input].push_back(id);
    }
  }
}

void LoopGradient::findNeeded() {
  needed_.assign(work_->nodes().size(), false);
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Input& input = inputs_[i];
    for (int32_t id : sums_[i]) needed_[id] = true;
    if (input.d && input.kind != LoopInput::kCaptured) needed_[input.d.id] = true;
  }
  kept_ = needed_;
  for (const Product& p : products_) {
    for (int32_t id : {p.a, p.b}) (isStack(id) ? kept_ : needed_)[id] = true;
  }
  for (int32_t id = static_cast<int32_t>(needed_.size()) - 1; id >= 0; --id) {
    if (!needed_[id] || isSaved(id)) continue;
    for (int32_t in : work_->nodes()[id].inputs) needed_[in] = true;
  }
}

/// Has the loop collect what its gradient reads.
void LoopGradient::save() {
  stacks_.resize(needed_.size());
  std::shared_ptr<Graph> body = attrs_.body->copy();
  int first = static_cast<int>(graph_.node(loop_).results.size() - attrs_.reversed.size());
  // A loop inside of the body has come to collect more.
  for (int32_t id = 0; id < forward_; ++id) {
    const Node& n = work_->nodes()[id];
    if (n.op == OpId::loop && !(n == body->nodes()[id])) body->widen({body.get(), id}, n.attrs);
  }
  std::vector<std::pair<int32_t, int>> saved;
  for (int32_t id = 0; id < static_cast<int32_t>(needed_.size()); ++id) {
    if (!(needed_[id] || kept_[id]) || !isSaved(id)) continue;
    const Node& n = work_->nodes()[id];
    Value inside{body.get(), id};
    if (id >= forward_)
      inside = body->result({body.get(), n.inputs[0]}, n.attrs.as<ResultAttrs>().index);
    // What is collected already serves, if it is stacked in the order of the trips.
    size_t at = 0;
    while (at < attrs_.reversed.size() &&
           (body->outputs()[at] != inside.id || attrs_.reversed[at] != 0))
      ++at;
    if (at == attrs_.reversed.size()) {
      body->output(inside);
      attrs_.reversed.push_back(0);
    }
    saved.emplace_back(id, first + static_cast<int>(at));
  }
  attrs_.body = body;
  graph_.widen(loop_, Attrs::of(attrs_));
  for (auto [id, index] : saved) stacks_[id] = graph_.result(loop_, index);
}

/// A node of work_ in the reverse body; what it reads is there.
Value LoopGradient::compute(int32_t id) {
  const Node& n = work_->nodes()[id];
  if (isSaved(id)) return reverse_->scan(stacks_[id], true);
  if (n.op == OpId::input) {
    const Input& input = inputs_[numberOf(id)];
    if (input.kind == LoopInput::kCaptured) return reverse_->body().capture(input.outside);
    return reverse_->scan(input.outside, input.kind == LoopInput::kScanned);
  }
  std::vector<Value> in;
  for (int32_t input : n.inputs) in.push_back(values_[input]);
  return n.inputs.empty() ? reverse_->body().again(n, {}) : emit(n.op, in, n.attrs);
}

std::vector<Value> LoopGradient::finish() {
  std::vector<int> resultOf(inputs_.size(), -1);
  int count = 0;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Input& input = inputs_[i];
    Value zero = broadcastTo(reverse_->body().constant(0), {.shape = input.outside.shape()});
    if (input.next >= 0 && input.active) {
      reverse_->next(values_[input.dNext.id], input.d ? values_[input.d.id] : zero);
      resultOf[i] = count++;
    } else if (!sums_[i].empty()) {
      Value sum =
          reverse_->carry(broadcastTo(graph_.constant(0), {.shape = input.outside.shape()}));
      Value next = sum;
      for (int32_t id : sums_[i]) next = next + values_[id];
      reverse_->next(sum, next);
      resultOf[i] = count++;
    }
  }
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Input& input = inputs_[i];
    if (!isScanned(input.kind) || !input.d) continue;
    // The reverse loop's first trip is the last one: it gives the last slice.
    reverse_->collect(values_[input.d.id], input.kind == LoopInput::kScanned);
    resultOf[i] = count++;
  }
  // What is collected for a scanned input, in the order of the trips, serves products, too.
  auto gradientStackOf = [&](int32_t id) {
    auto it = std::ranges::find_if(inputs_, [&](const Input& input) {
      return input.kind == LoopInput::kScanned && input.d.id == id;
    });
    return it == inputs_.end() ? -1 : resultOf[it - inputs_.begin()];
  };
  std::vector<int32_t> columns;  // that are collected for products
  for (const Product& p : products_) {
    for (int32_t id : {p.a, p.b}) {
      if (isStack(id) || gradientStackOf(id) >= 0 ||
          std::ranges::find(columns, id) != columns.end())
        continue;
      reverse_->collect(values_[id], true);
      columns.push_back(id);
    }
  }
  std::vector<Value> results = reverse_->finish(), d(inputs_.size());
  for (size_t i = 0; i < d.size(); ++i) {
    if (resultOf[i] >= 0) d[i] = results[resultOf[i]];
  }
  auto columnsOf = [&](int32_t id) {
    auto at = std::ranges::find(columns, id);
    Value stack = isSaved(id)                ? stacks_[id]
                  : gradientStackOf(id) >= 0 ? results[gradientStackOf(id)]
                  : at == columns.end()      ? inputs_[numberOf(id)].outside
                                             : results[count + (at - columns.begin())];
    const Shape& slice = work_->nodes()[id].type.shape;
    return reshape(stack, {.shape = {int64_t{slice[0]} * attrs_.trips, slice[1]}});
  };
  for (const Product& p : products_) {
    Value product = matMul(columnsOf(p.a), columnsOf(p.b), {.transposeA = true});
    d[p.input] = d[p.input] ? d[p.input] + product : product;
  }
  return d;
}

std::vector<Value> LoopGradient::run() {
  findActive();
  differentiate();
  if (!work_->status()) {
    graph_.fail(work_->status().error().message);
    return std::vector<Value>(inputs_.size());
  }
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i].d && inputs_[i].kind == LoopInput::kCaptured) splitProducts(i);
  }
  findNeeded();
  save();

  reverse_.emplace(graph_, attrs_.trips);
  values_.resize(needed_.size());
  size_t carried = 0;
  for (Input& input : inputs_) {
    if (input.next < 0) continue;
    Value last = dResults_[carried++];
    if (!input.active) continue;
    if (!last) last = broadcastTo(graph_.constant(0), {.shape = input.outside.shape()});
    values_[input.dNext.id] = reverse_->carry(last);
  }
  for (size_t i = 0; i < seeds_.size(); ++i) {
    auto [id, stack] = seeds_[i];
    values_[id] = reverse_->scan(stack, attrs_.reversed[seedOutputs_[i]] == 0);
  }
  for (int32_t id = 0; id < static_cast<int32_t>(needed_.size()); ++id) {
    if (needed_[id] && !values_[id]) values_[id] = compute(id);
  }
  return finish();
}

}  // namespace

std::vector<Value> gradOfLoop(Value loop, std::span<const Value> dResults,
                              const std::vector<bool>& wanted) {
  return LoopGradient(loop, dResults, wanted).run();
}

}  // namespace fjord
