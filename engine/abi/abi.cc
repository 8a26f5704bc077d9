// Threads, tensors, ops, the tape, optimizers.
#include "abi/abi.h"

#include "abi/trace.h"
#include "base/parts.h"

using namespace fjord;

namespace {

/// What the runtime holds: how many, and their kinds.
struct Living {
  int count = 0;
  std::string names;

  template <class T>
  void add(Handles<T>& handles, const char* name) {
    int n = 0;
    handles.forEach([&](auto&) { ++n; });
    if (n > 0) add(n, cat(n, " ", name, n > 1 ? "s" : ""));
  }
  void add(int n, std::string what) {
    names += (count ? ", " : "") + what;
    count += n;
  }
};

/// Whose plans are made for a number of threads.
Living planned() {
  Living living;
  living.add(runtime().optimizers, "optimizer");
  living.add(runtime().models, "model");
  living.add(runtime().fits, "training");
  return living;
}

}  // namespace

int fj_init(int threads) {
  Runtime& r = runtime();
  if (kTrains) startTracing();
  if (threads == r.threads->count()) return threads;
  if (Living living = planned(); living.count)
    return failure(cat("the number of threads cannot change while there are ", living.names));
  // Of a model that was given up.
  if (r.prediction && r.prediction->paused.model) r.prediction->model->complete(Model::kChange);
  r.threads->resize(threads);
  r.modelCalls.clear();
  r.eager.reset();
  r.place = std::make_unique<Place>(*r.threads, std::move(r.place->remote), r.place->isRemote);
  r.eager = std::make_unique<Eager>(*r.place);
  return r.threads->count();
}

void fj_startThreads() { runtime().threads->start(); }

int fj_living() {
  Living living = planned();
  living.add(runtime().tensors, "tensor");
  if (runtime().place->remote) living.add(1, "the WebGPU backend");
  runtime().message = living.names;
  return living.count;
}

const char* fj_message() { return runtime().message.c_str(); }
int fj_messageLength() { return static_cast<int>(runtime().message.size()); }

void fj_memory(double* out) {
  double tensors = 0, bytes = 0;
  auto add = [&](const Tensor& t) {
    ++tensors;
    bytes += static_cast<double>(t.type().bytes());
  };
  runtime().tensors.forEach([&](TensorEntry& t) { add(t.tensor); });
  runtime().models.forEach([&](auto& model) {
    for (const Weight& w : model->weights()) add(w.value);
    for (const Weight& w : model->slots()) add(w.value);
    for (const KeptState& s : model->keptStates()) add(s.value);
  });
  MemoryInfo info = memoryInfo();
  out[0] = tensors;
  out[1] = bytes;
  out[2] = static_cast<double>(info.buffers);
  out[3] = static_cast<double>(info.bytes);
}

// ---- tensors

int fj_tensor(int dtype, int rank, const int32_t* shape, int there) {
  if (dtype < 0 || dtype > 2)
    return failure(cat("dtype ", dtype, " is not one that can be computed with"));
  if (rank < 0 || rank > kMaxRank)
    return failure(cat("a tensor has at most ", kMaxRank, " axes, got ", rank));
  Type type{static_cast<DType>(dtype), Shape(std::span(shape, static_cast<size_t>(rank)))};
  if (Status fits = checkShape(type.shape); !fits) return failure(fits.error());
  return newTensor(kHasShaders && there ? runtime().place->remote->newTensor(type)
                                        : Tensor::empty(type));
}
void* fj_data(int tensor) {
  TensorEntry* t = tensorHere(tensor);
  return t ? t->tensor.view().data : nullptr;
}
int fj_dtype(int tensor) {
  TensorEntry* t = tensorOf(tensor);
  return t ? static_cast<int>(t->tensor.dtype()) : -1;
}
int fj_shape(int tensor, int32_t* out) {
  TensorEntry* t = tensorOf(tensor);
  if (!t) return -1;
  std::ranges::copy(t->tensor.shape(), out);
  return t->tensor.shape().rank();
}
int fj_clone(int tensor) {
  TensorEntry* t = tensorOf(tensor);
  if (!t) return 0;
  if (!t->model) return newTensor(*t);
  // Of a weight whose value now stays.
  Result<Tensor> values = t->tensor.copy();
  return values ? newTensor(Traced{std::move(*values), t->id}) : failure(values.error());
}
int fj_dispose(int tensor) {
  if (!runtime().tensors.find(tensor)) return 0;
  runtime().tensors.remove(tensor);
  return 1;
}

// ---- ops and gradients

int fj_opNumber(const char* name) {
  OpId op = opNamed(name);
  return op == OpId::kCount ? -1 : static_cast<int>(op);
}

int fj_op(int op, const int32_t* inputs, int count, const double* attributes, int attributeCount) {
  if (op < 0 || op >= static_cast<int>(OpId::kCount))
    return failure(cat("there is no op number ", op));
  OpId id = static_cast<OpId>(op);
  const OpInfo& info = opInfo(id);
  if (info.kind == OpKind::kSource || info.kind == OpKind::kSeveral)
    return failure(cat(info.name, " is not an op that can be run"));
  if (info.kind == OpKind::kLeftOut) return failure(leftOut(info.name));
  Attrs attrs;
  if (count < 0 || attributeCount < 0)
    return failure(cat(info.name, ": got ", count, " inputs and ", attributeCount, " attributes"));
  Status read = info.decode(std::span(attributes, static_cast<size_t>(attributeCount)), attrs);
  if (!read) return failure(cat(info.name, ": ", read.error().message));
  std::vector<Traced> in;
  bool isTraced = kTrains && tracesAll();
  for (int i = 0; i < count; ++i) {
    TensorEntry* t = tensorOf(inputs[i]);
    if (!t) return failure(cat(info.name, ": input ", i, " was disposed of"));
    isTraced = isTraced || t->value;
    in.push_back(*t);
  }
  if (kTrains && isTraced) return traceOp(id, attrs, inputs, count);
  Result<Traced> y = runtime().eager->run(id, in, attrs);
  return y ? newTensor(std::move(*y)) : failure(y.error());
}

void fj_tapeStart() { runtime().eager->startTape(); }
void fj_tapeStop() { runtime().eager->stopTape(); }
void fj_tapePause(int paused) { runtime().eager->pauseTapes(paused != 0); }

int fj_tapeModel(int input, int output) {
  TensorEntry *x = tensorOf(input), *y = tensorOf(output);
  if (!x || !y) return 0;
  runtime().eager->recordModel(*x, *y);
  return 1;
}

int fj_gradients(int y, int dy, const int32_t* xs, int count, int all, int32_t* out) {
  TensorEntry* target = tensorOf(y);
  TensorEntry* seed = dy ? tensorOf(dy) : nullptr;
  if (!target || (dy && !seed)) return 0;
  if (target->value) return traceGradients(y, dy, xs, count, out);
  std::vector<Traced> in;
  for (int i = 0; i < count; ++i) {
    TensorEntry* t = tensorOf(xs[i]);
    if (!t) return 0;
    in.push_back(*t);
  }
  Result<std::vector<Traced>> results = runtime().eager->gradients(*target, in, seed, all != 0);
  if (!results) return failure(results.error());
  for (int i = 0; i < count; ++i)
    out[i] = (*results)[i].tensor ? newTensor(std::move((*results)[i])) : 0;
  return 1;
}

int fj_optimizer(const char* json) {
  return withJson(json, [&](const Json& j) {
    Result<Optimizer> o = Optimizer::of(j);
    if (!o) return failure(o.error());
    if (Status fits = o->checkForVariables(); !fits) return failure(fits.error());
    return runtime().optimizers.add(
        std::make_unique<EagerOptimizer>(*runtime().place, std::move(*o)));
  });
}

int fj_optimizerApply(int optimizer, int32_t* variables, const int32_t* ids,
                      const int32_t* gradients, int count) {
  auto* o = runtime().optimizers.find(optimizer);
  if (!o) return failure("the optimizer was disposed of");
  std::vector<EagerOptimizer::Variable> list;
  for (int i = 0; i < count; ++i) {
    TensorEntry *v = tensorOf(variables[i]), *g = tensorOf(gradients[i]);
    if (!v || !g) return 0;
    if (v->model && runtime().place->isRemote)
      return failure(
          "weights of models are not updated by an optimizer of variables on the GPU: "
          "train with fit, or with the backend 'wasm'");
    if (v->model) v->model->mutableWeights();
    // A variable's old value may be known elsewhere under another handle, or to a tape: that must
    // not change. A weight changes where it is.
    if (!v->model && v->tensor.buffer().isShared()) {
      Result<Tensor> own = runtime().eager->copy(v->tensor);
      if (!own) return failure(own.error());
      v->tensor = std::move(*own);
    }
    if (!v->model) v->id = runtime().eager->newId();
    list.push_back({static_cast<uint64_t>(ids[i]), v->tensor, g->tensor});
  }
  Status status = (*o)->apply(list);
  return status ? 1 : failure(status.error());
}

double fj_optimizerRate(int optimizer) {
  auto* o = runtime().optimizers.find(optimizer);
  return o ? (*o)->rate() : 0;
}
void fj_optimizerSetRate(int optimizer, double rate) {
  if (auto* o = runtime().optimizers.find(optimizer)) (*o)->setRate(rate);
}
void fj_optimizerFree(int optimizer) { runtime().optimizers.remove(optimizer); }
