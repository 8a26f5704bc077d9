#include "abi/model_call.h"

#include <algorithm>
#include <cstring>

#include "abi/runtime.h"
#include "base/parts.h"

using namespace fjord;

namespace fjord {

Traced tracedWeight(const Weight& weight) {
  // No other value has such a number: they count from 1.
  return {weight.value, reinterpret_cast<uintptr_t>(weight.value.view().data) | uint64_t{1} << 63};
}

Result<ModelCalls::Ready> ModelCalls::make(Model& model, int handle, std::span<const Traced> xs,
                                           bool training, Place& place) {
  static uint64_t serial = 0;
  auto taped = std::make_shared<TapedGraph>();
  Graph& graph = taped->graph;
  taped->serial = ++serial;
  taped->model = handle;
  std::vector<Type> types;
  std::vector<Value> inputs;
  for (const Traced& x : xs) {
    types.push_back(x.tensor.type());
    inputs.push_back(graph.input(types.back()));
  }
  const Shape& first = types.empty() ? Shape{} : types[0].shape;
  int32_t samples = first.rank() ? first[0] : 1;
  ModuleCall call(model, graph, {.samples = samples, .training = training, .moves = true});
  LayerOutputs outputs = call.run({inputs});
  FJORD_CHECK(graph.status());
  for (Value y : outputs.values) graph.output(y);
  std::vector<int> updated;
  for (const auto& [target, value] : call.updates) {
    auto weight = std::ranges::find(call.weights.used, target, &std::pair<int, Value>::second);
    updated.push_back(weight->first);
    graph.output(value);
  }
  // Inputs come in the order in which layers have asked for them.
  for (const auto& [number, input] : call.weights.used)
    taped->weights.emplace_back(graph.node(input).attrs.as<InputAttrs>().index, number);
  taped->random = call.random ? graph.node(call.random).attrs.as<InputAttrs>().index : -1;
  FJORD_TRY(Runner runner, place.runner(graph));
  return Ready{{}, training, types, taped, updated, std::move(runner)};
}

Result<ModelCalls::Ready*> ModelCalls::ready(const std::shared_ptr<Model>& model, int handle,
                                             std::span<const Traced> xs, bool training,
                                             Place& place) {
  constexpr size_t kMost = 16;
  std::erase_if(calls_, [](const Ready& r) { return r.model.expired(); });
  auto fits = [&](const Ready& r) {
    return r.model.lock() == model && r.training == training &&
           std::ranges::equal(r.types, xs, {}, {}, [](const Traced& x) { return x.tensor.type(); });
  };
  auto known = std::ranges::find_if(calls_, fits);
  if (known != calls_.end()) {
    calls_.splice(calls_.begin(), calls_, known);
    return &calls_.front();
  }
  FJORD_TRY(Ready made, make(*model, handle, xs, training, place));
  made.model = model;
  if (calls_.size() == kMost) calls_.pop_back();
  calls_.push_front(std::move(made));
  return &calls_.front();
}

Result<std::vector<Traced>> ModelCalls::call(const std::shared_ptr<Model>& model, int handle,
                                             std::span<const Traced> xs, bool training,
                                             Place& place, Eager& eager) {
  FJORD_TRY(Ready * ready, this->ready(model, handle, xs, training, place));
  if (!ready->updated.empty() && place.isRemote)
    return fail(
        "a call as in training changes the states of layers, which a model whose ops run on "
        "the GPU does in fit and trainOnBatch alone");
  const TapedGraph& taped = *ready->taped;
  std::vector<Traced> in(taped.graph.inputs().size());
  std::ranges::copy(xs, in.begin());
  for (auto [index, number] : taped.weights) {
    in[index] = tracedWeight(model->weights()[number]);
    // What has gone to a GPU is taken to be the same there later.
    if (!place.isRemote) continue;
    FJORD_TRY(in[index].tensor, in[index].tensor.copy());
  }
  if (taped.random >= 0) {
    int64_t draw = ++draws_;
    int32_t state[] = {static_cast<int32_t>(model->seed()),
                       static_cast<int32_t>(model->seed() >> 32), static_cast<int32_t>(draw), -1};
    FJORD_TRY(in[taped.random].tensor, Tensor::of({4}, std::span<const int32_t>(state)));
    in[taped.random].id = eager.newId();
  }
  std::vector<Tensor> tensors;
  for (const Traced& t : in) tensors.push_back(t.tensor);
  FJORD_TRY(std::vector<Tensor> made, ready->runner.run(tensors));
  std::vector<Traced> outputs;
  size_t count = made.size() - ready->updated.size();
  for (size_t i = 0; i < count; ++i) outputs.push_back({std::move(made[i]), eager.newId()});
  eager.record(ready->taped, in, outputs);
  for (size_t i = 0; i < ready->updated.size(); ++i) {
    const Tensor& to = model->mutableWeights()[ready->updated[i]].value;
    std::memcpy(to.view().data, made[count + i].view().data,
                static_cast<size_t>(to.type().bytes()));
  }
  return outputs;
}

}  // namespace fjord

// ---- the C functions

int fj_modelApply(int model, const int32_t* xs, int count, int training, int32_t* out, int room) {
  return withModel(model, [&](auto& m) {
    Runtime& r = runtime();
    if (m->isOnGpu())
      return failure("a model that is on the GPU cannot be differentiated: train it with fit");
    std::vector<Traced> inputs;
    for (int i = 0; i < count; ++i) {
      TensorEntry* t = tensorOf(xs[i]);
      if (!t) return 0;
      if (t->value)
        return failure(
            "a model is called in a function that is called once, to find out which ops it calls: "
            "make "
            "the model a layer of the one that is trained");
      inputs.push_back(*t);
    }
    Result<std::vector<Traced>> outputs =
        r.modelCalls.call(m, model, inputs, training != 0, *r.place, *r.eager);
    if (!outputs) return failure(outputs.error());
    int given = static_cast<int>(outputs->size());
    if (given > room) return failure(cat("there is room for ", room, " of ", given, " outputs"));
    for (int i = 0; i < given; ++i) out[i] = newTensor(std::move((*outputs)[i]));
    return given;
  });
}

int fj_modelVariable(int model, int index) {
  return withModel(model, [&](auto& m) {
    if (index < 0 || index >= static_cast<int>(m->weights().size()))
      return failure(cat("the model has no weight number ", index));
    return newTensor(TensorEntry{tracedWeight(m->weights()[index]), m});
  });
}

int fj_tapeWeights() {
  Json list = Json::array();
  std::vector<const void*> seen;
  runtime().eager->eachModel([&](const TapedGraph& taped) {
    std::shared_ptr<Model>* model = runtime().models.find(taped.model);
    if (!model) return;
    for (auto [index, number] : taped.weights) {
      const Weight& w = (*model)->weights()[number];
      const void* memory = w.value.view().data;
      if (!(*model)->isTrainable(w) || std::ranges::find(seen, memory) != seen.end()) continue;
      seen.push_back(memory);
      list.push_back({taped.model, number});
    }
  });
  return text(list);
}
