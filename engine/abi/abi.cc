#include "abi/abi.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "abi/eager.h"
#include "abi/gpu_json.h"
#include "io/model_file.h"
#include "nn/fit.h"

namespace fjord {

namespace {

/// Objects by handle. Handles are used again.
template <class T>
class Handles {
 public:
  int add(T value) {
    if (free_.empty()) {
      items_.push_back(std::move(value));
      return static_cast<int>(items_.size());
    }
    int handle = free_.back();
    free_.pop_back();
    items_[handle - 1] = std::move(value);
    return handle;
  }
  T* find(int handle) {
    bool exists = handle >= 1 && handle <= static_cast<int>(items_.size()) &&
                  static_cast<bool>(items_[handle - 1]);
    return exists ? &items_[handle - 1] : nullptr;
  }
  void remove(int handle) {
    if (!find(handle)) return;
    items_[handle - 1] = T();
    free_.push_back(handle);
  }
  template <class F>
  void forEach(F f) {
    for (T& item : items_) {
      if (item) f(item);
    }
  }

 private:
  std::vector<T> items_;
  std::vector<int> free_;
};

struct TensorEntry : Traced {
  explicit operator bool() const { return static_cast<bool>(tensor); }
};

/// A fit keeps its model alive.
struct FitEntry {
  std::shared_ptr<Model> model;
  std::unique_ptr<Fit> fit;
  explicit operator bool() const { return fit != nullptr; }
};

struct Runtime {
  std::unique_ptr<Threads> threads = std::make_unique<Threads>(1);
  std::unique_ptr<Eager> eager = std::make_unique<Eager>(*threads);
  Handles<TensorEntry> tensors;
  Handles<std::unique_ptr<EagerOptimizer>> optimizers;
  Handles<std::shared_ptr<Model>> models;
  Handles<FitEntry> fits;
  std::string message;
};

Runtime& runtime() {
  static Runtime instance;
  return instance;
}

int failure(const Error& error) {
  runtime().message = error.message;
  return 0;
}
int failure(std::string message) {
  runtime().message = std::move(message);
  return 0;
}
int text(const Json& json) {
  runtime().message = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return 1;
}

TensorEntry* tensorOf(int handle) {
  TensorEntry* t = runtime().tensors.find(handle);
  if (!t) failure("the tensor was disposed of: it cannot be used any more");
  return t;
}
int newTensor(Traced value) {
  TensorEntry entry;
  static_cast<Traced&>(entry) = std::move(value);
  return runtime().tensors.add(std::move(entry));
}
int newTensor(Result<Tensor> t) {
  return t ? newTensor(Traced{std::move(*t), runtime().eager->newId()}) : failure(t.error());
}

bool collect(const int32_t* handles, int count, std::vector<Tensor>& out) {
  for (int i = 0; i < count; ++i) {
    TensorEntry* t = tensorOf(handles[i]);
    if (!t) return false;
    out.push_back(t->tensor);
  }
  return true;
}

Json typeJson(const Type& type) {
  Json shape = Json::array();
  for (int32_t d : type.shape) shape.push_back(d < 0 ? Json(nullptr) : Json(d));
  return {{"dtype", name(type.dtype)}, {"shape", shape}};
}

Json logsJson(const Logs& logs) {
  Json j = Json::object();
  // JSON has no NaN: a string says it, and the JavaScript side reads it back as a number.
  for (const auto& [key, value] : logs)
    j[key] = value - value == 0 ? Json(value) : Json(cat(value));
  return j;
}

template <class F>
int withModel(int handle, F f) {
  std::shared_ptr<Model>* model = runtime().models.find(handle);
  return model ? f(*model) : failure("the model was disposed of: it cannot be used any more");
}

template <class F>
int withJson(const char* source, F f) {
  Result<Json> json = parseJson(source);
  return json ? f(*json) : failure(json.error());
}

}  // namespace

}  // namespace fjord

using namespace fjord;

int fj_init(int threads) {
  Runtime& r = runtime();
  bool busy = false;
  r.models.forEach([&](auto&) { busy = true; });
  r.optimizers.forEach([&](auto&) { busy = true; });
  if (busy && threads != r.threads->count())
    return failure("the number of threads can only change before models and optimizers are made");
  r.optimizers = {};
  r.eager.reset();
  r.threads = std::make_unique<Threads>(threads);
  r.eager = std::make_unique<Eager>(*r.threads);
  return r.threads->count();
}

const char* fj_message() { return runtime().message.c_str(); }
int fj_messageLength() { return static_cast<int>(runtime().message.size()); }

void fj_memory(double* out) {
  double tensors = 0, bytes = 0;
  runtime().tensors.forEach([&](TensorEntry& t) {
    ++tensors;
    bytes += static_cast<double>(t.tensor.type().bytes());
  });
  MemoryInfo info = memoryInfo();
  out[0] = tensors;
  out[1] = bytes;
  out[2] = static_cast<double>(info.buffers);
  out[3] = static_cast<double>(info.bytes);
}

// ---- tensors

int fj_tensor(int dtype, int rank, const int32_t* shape) {
  if (dtype < 0 || dtype > 2)
    return failure(cat("dtype ", dtype, " is not one that can be computed with"));
  if (rank < 0 || rank > kMaxRank)
    return failure(cat("a tensor has at most ", kMaxRank, " axes, got ", rank));
  Type type{static_cast<DType>(dtype), Shape(std::span(shape, static_cast<size_t>(rank)))};
  int64_t size = 1;
  for (int32_t d : type.shape) {
    if (d < 0) return failure(cat("a shape has no negative sizes: ", type.shape));
    size *= d;
    if (size > int64_t{1} << 40) return failure(cat("the shape ", type.shape, " is too large"));
  }
  return newTensor(Tensor::empty(type));
}
void* fj_data(int tensor) {
  TensorEntry* t = tensorOf(tensor);
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
  return t ? newTensor(*t) : 0;
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
  if (info.kind == OpKind::kSource) return failure(cat(info.name, " is not an op that can be run"));
  Attrs attrs;
  if (!info.decode(std::span(attributes, static_cast<size_t>(attributeCount)), attrs))
    return failure(cat(info.name, ": the attributes are malformed"));
  std::vector<Traced> in;
  for (int i = 0; i < count; ++i) {
    TensorEntry* t = tensorOf(inputs[i]);
    if (!t) return failure(cat(info.name, ": input ", i, " was disposed of"));
    in.push_back(*t);
  }
  Result<Traced> y = runtime().eager->run(id, in, attrs);
  return y ? newTensor(std::move(*y)) : failure(y.error());
}

void fj_tapeStart() { runtime().eager->startTape(); }
void fj_tapeStop() { runtime().eager->stopTape(); }

int fj_gradients(int y, int dy, const int32_t* xs, int count, int32_t* out) {
  TensorEntry* target = tensorOf(y);
  TensorEntry* seed = dy ? tensorOf(dy) : nullptr;
  if (!target || (dy && !seed)) return 0;
  std::vector<Traced> in;
  for (int i = 0; i < count; ++i) {
    TensorEntry* t = tensorOf(xs[i]);
    if (!t) return 0;
    in.push_back(*t);
  }
  Result<std::vector<Traced>> results = runtime().eager->gradients(*target, in, seed);
  if (!results) return failure(results.error());
  for (int i = 0; i < count; ++i) out[i] = newTensor(std::move((*results)[i]));
  return 1;
}

int fj_optimizer(const char* json) {
  return withJson(json, [&](const Json& j) {
    std::optional<Choice> choice = choiceOf(j);
    Result<const OptimizerRow*> row = findOptimizer(choice ? choice->name : "");
    if (!row) return failure(row.error());
    Result<double> rate = learningRate(choice->config, 0, 0);
    if (!rate) return failure(rate.error());
    return runtime().optimizers.add(
        std::make_unique<EagerOptimizer>(*runtime().threads, **row, choice->config));
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
    // A variable's old value may be known elsewhere under another handle, or to a tape: that must
    // not change.
    if (v->tensor.buffer().isShared()) {
      Result<Tensor> own = v->tensor.copy();
      if (!own) return failure(own.error());
      v->tensor = std::move(*own);
    }
    v->id = runtime().eager->newId();
    list.push_back({static_cast<uint64_t>(ids[i]), v->tensor, g->tensor});
  }
  Status status = (*o)->apply(list);
  return status ? 1 : failure(status.error());
}

void fj_optimizerRate(int optimizer, double rate) {
  if (auto* o = runtime().optimizers.find(optimizer)) (*o)->setRate(rate);
}
void fj_optimizerFree(int optimizer) { runtime().optimizers.remove(optimizer); }

// ---- models

int fj_model(const char* json, uint32_t seed) {
  return withJson(json, [&](const Json& j) {
    Result<std::unique_ptr<Model>> model = Model::fromJson(j, *runtime().threads, {.seed = seed});
    return model ? runtime().models.add(std::move(*model)) : failure(model.error());
  });
}
void fj_modelFree(int model) { runtime().models.remove(model); }

int fj_modelCompile(int model, const char* json) {
  return withModel(model, [&](auto& m) {
    return withJson(json, [&](const Json& j) {
      Status status = m->compile(j);
      return status ? 1 : failure(status.error());
    });
  });
}

int fj_modelSave(int model, int optimizer) {
  return withModel(model, [&](auto& m) {
    Result<std::string> file = saveModel(*m, {.optimizer = optimizer != 0});
    if (!file) return failure(file.error());
    runtime().message = std::move(*file);
    return 1;
  });
}

int fj_modelLoad(const uint8_t* bytes, int length) {
  Result<Safetensors> file =
      readSafetensors(std::as_bytes(std::span(bytes, static_cast<size_t>(length))));
  if (!file) return failure(file.error());
  Result<std::unique_ptr<Model>> model = loadModel(*file, *runtime().threads);
  return model ? runtime().models.add(std::move(*model)) : failure(model.error());
}

int fj_modelDescription(int model) {
  return withModel(model, [&](auto& m) {
    return text({{"model", m->json()}, {"training", m->compileOptions()}});
  });
}

int fj_modelInfo(int model) {
  return withModel(model, [&](auto& m) {
    Json inputs = Json::array(), outputs = Json::array(), weights = Json::array();
    for (const Type& t : m->inputTypes()) inputs.push_back(typeJson(t));
    for (const Type& t : m->outputTypes()) outputs.push_back(typeJson(t));
    for (const Weight& w : m->weights()) {
      Json j = typeJson(w.value.type());
      j["name"] = w.name;
      j["trainable"] = w.trainable;
      weights.push_back(j);
    }
    Json slots = Json::array();
    for (const Weight& w : m->slots()) {
      Json j = typeJson(w.value.type());
      j["name"] = w.name;
      slots.push_back(j);
    }
    return text({{"inputs", inputs},
                 {"outputs", outputs},
                 {"weights", weights},
                 {"slots", slots},
                 {"seed", m->seed()},
                 {"summary", m->summary()},
                 {"step", m->step()},
                 {"rate", m->rate()}});
  });
}

int fj_modelWeight(int model, int index) {
  return withModel(model, [&](auto& m) {
    bool exists = index >= 0 && index < static_cast<int>(m->weights().size());
    return exists ? newTensor(m->weights()[index].value.copy())
                  : failure(cat("the model has no weight number ", index));
  });
}

int fj_modelSetWeight(int model, int index, int tensor) {
  return withModel(model, [&](auto& m) {
    TensorEntry* t = tensorOf(tensor);
    if (!t) return 0;
    if (index < 0 || index >= static_cast<int>(m->weights().size()))
      return failure(cat("the model has no weight number ", index));
    Weight& w = m->mutableWeights()[index];
    if (w.value.type() != t->tensor.type()) {
      return failure(
          cat("the weight ", w.name, " is ", w.value.type(), ", got ", t->tensor.type()));
    }
    std::memcpy(w.value.view().data, t->tensor.view().data,
                static_cast<size_t>(w.value.type().bytes()));
    return 1;
  });
}

int fj_modelSlot(int model, int index) {
  return withModel(model, [&](auto& m) {
    bool exists = index >= 0 && index < static_cast<int>(m->slots().size());
    return exists ? newTensor(m->slots()[index].value.copy())
                  : failure(cat("the optimizer has no state number ", index));
  });
}

int fj_modelSetSlot(int model, const char* name, int tensor) {
  return withModel(model, [&](auto& m) {
    TensorEntry* t = tensorOf(tensor);
    if (!t) return 0;
    Result<Tensor> copy = t->tensor.copy();
    if (!copy) return failure(copy.error());
    m->setSlot(name, std::move(*copy));
    return 1;
  });
}

int fj_modelSetStep(int model, double step) {
  return withModel(model, [&](auto& m) {
    m->setStep(static_cast<int64_t>(step));
    return 1;
  });
}

int fj_modelSetRate(int model, double rate) {
  return withModel(model, [&](auto& m) {
    m->setRate(rate);
    return 1;
  });
}

int fj_modelSetWinograd(int model, int allowed) {
  return withModel(model, [&](auto& m) {
    m->setWinograd(allowed);
    return 1;
  });
}

int fj_modelMemory(int model, int train, int batch) {
  return withModel(model, [&](auto& m) {
    Result<StepMemory> memory = m->stepMemory(train ? Model::kTrain : Model::kPredict, batch);
    if (!memory) return failure(memory.error());
    return text(Json{{"weights", memory->weights},
                     {"optimizer", memory->state},
                     {"batch", memory->data},
                     {"live", memory->live},
                     {"arena", memory->arena},
                     {"least", memory->least()},
                     {"total", memory->total()}});
  });
}

int fj_modelPrepare(int model, int train, int batch) {
  return withModel(model, [&](auto& m) {
    Status status = m->prepare(train ? Model::kTrain : Model::kPredict, batch);
    return status ? 1 : failure(status.error());
  });
}

int fj_modelPredict(int model, const int32_t* xs, int count, int batchSize, int32_t* out) {
  return withModel(model, [&](auto& m) {
    std::vector<Tensor> in;
    if (!collect(xs, count, in)) return 0;
    if (batchSize < 1) return failure(cat("batchSize must be at least 1, got ", batchSize));
    Result<std::vector<Tensor>> outputs = m->predict(in, batchSize);
    if (!outputs) return failure(outputs.error());
    for (size_t i = 0; i < outputs->size(); ++i) out[i] = newTensor(Result<Tensor>((*outputs)[i]));
    return static_cast<int>(outputs->size());
  });
}

namespace {
int writeLogs(const Logs& logs, double* out) {
  int count = std::min<int>(kMostLogs, static_cast<int>(logs.size()));
  for (int i = 0; i < count; ++i) out[i] = logs[i].second;
  return count;
}
}  // namespace

int fj_modelBatch(int model, int train, const int32_t* xs, int xCount, const int32_t* ys,
                  int yCount, int weights, double* out) {
  return withModel(model, [&](auto& m) {
    std::vector<Tensor> x, y, w;
    if (!collect(xs, xCount, x) || !collect(ys, yCount, y) ||
        !collect(&weights, weights ? 1 : 0, w))
      return 0;
    Totals totals;
    Status status = m->run(train ? Model::kTrain : Model::kTest,
                           {.x = x, .y = y, .weights = w.empty() ? nullptr : &w[0]}, totals);
    return status ? writeLogs(m->logs(totals), out) : failure(status.error());
  });
}

int fj_modelSetGpu(int model, const double* limits) {
  return withModel(model, [&](auto& m) {
    if (!limits) {
      m->setGpu({});
    } else {
      m->setGpu(GpuLimits{static_cast<int>(limits[0]), static_cast<int64_t>(limits[1]),
                          static_cast<int64_t>(limits[2]), static_cast<int64_t>(limits[3])});
    }
    return 1;
  });
}

int fj_gpuBatch(int model, int train, const int32_t* xs, int xCount, const int32_t* ys, int yCount,
                int weights) {
  return withModel(model, [&](auto& m) {
    std::vector<Tensor> x, y, w;
    if (!collect(xs, xCount, x) || !collect(ys, yCount, y) ||
        !collect(&weights, weights ? 1 : 0, w))
      return 0;
    Status status = m->begin(train ? Model::kTrain : Model::kTest,
                             {.x = x, .y = y, .weights = w.empty() ? nullptr : &w[0]});
    return status ? 1 : failure(status.error());
  });
}

int fj_gpuPredict(int model, const int32_t* xs, int xCount, int begin, int count) {
  return withModel(model, [&](auto& m) {
    std::vector<Tensor> x;
    if (!collect(xs, xCount, x)) return 0;
    Status status = m->beginPrediction(x, begin, count);
    return status ? 1 : failure(status.error());
  });
}

namespace {
int32_t addressOf(const void* p) { return static_cast<int32_t>(reinterpret_cast<intptr_t>(p)); }
}  // namespace

int fj_gpuStep(int model, int32_t* out) {
  return withModel(model, [&](auto& m) {
    GpuStep step = m->gpuStep();
    if (!step.program) return failure("no step has begun on the GPU");
    *out++ = static_cast<int32_t>(step.serial);
    *out++ = addressOf(step.results.data());
    *out++ = static_cast<int32_t>(step.results.size());
    int given = 0;
    for (size_t i = 0; i < step.inputs.size(); ++i) {
      if (step.inputs[i].kind != GpuInput::kGiven) continue;
      *out++ = static_cast<int32_t>(i);
      *out++ = addressOf(step.inputs[i].data);
      *out++ = static_cast<int32_t>(step.inputs[i].bytes);
      ++given;
    }
    return given + 1;
  });
}

int fj_gpuProgram(int model) {
  return withModel(model, [&](auto& m) {
    GpuStep step = m->gpuStep();
    if (!step.program) return failure("no step has begun on the GPU");
    Json json = toJson(*step.program), sources = Json::array();
    for (const GpuInput& in : step.inputs) sources.push_back({static_cast<int>(in.kind), in.index});
    json["sources"] = sources;
    return text(json);
  });
}

int fj_gpuFinish(int model, double* out) {
  return withModel(model, [&](auto& m) {
    Totals totals;
    m->finish(totals);
    return writeLogs(m->logs(totals), out);
  });
}

void* fj_gpuHostCopy(int model, int kind, int index) {
  void* data = nullptr;
  withModel(model, [&](auto& m) {
    const std::vector<Weight>& list = kind == GpuInput::kWeight ? m->mutableWeights() : m->slots();
    if (index >= 0 && index < static_cast<int>(list.size())) data = list[index].value.view().data;
    return data ? 1 : failure(cat("the model has no array number ", index));
  });
  return data;
}

int fj_fit(int model, const int32_t* arrays, int xCount, int yCount, int validation,
           int sampleWeights, const char* options) {
  return withModel(model, [&](auto& m) {
    return withJson(options, [&](const Json& j) {
      Samples samples, held;
      bool ok = collect(arrays, xCount, samples.x) && collect(arrays + xCount, yCount, samples.y);
      if (validation) {
        const int32_t* rest = arrays + xCount + yCount;
        ok = ok && collect(rest, xCount, held.x) && collect(rest + xCount, yCount, held.y);
      }
      if (!ok) return 0;
      if (sampleWeights) {
        TensorEntry* w = tensorOf(sampleWeights);
        if (!w) return 0;
        samples.weights = w->tensor;
      }
      FitOptions o;
      o.epochs = intOr(j, "epochs", 1);
      o.initialEpoch = intOr(j, "initialEpoch", 0);
      o.batchSize = intOr(j, "batchSize", 32);
      o.shuffle = boolOr(j, "shuffle", true);
      o.validationSplit = numberOr(j, "validationSplit", 0);
      o.classWeight = member(j, "classWeight");
      o.callbacks = member(j, "callbacks");
      Result<std::unique_ptr<Fit>> fit =
          boolOr(j, "evaluate", false) ? Fit::evaluation(*m, std::move(samples), o.batchSize)
                                       : Fit::begin(*m, std::move(samples), o, std::move(held));
      return fit ? runtime().fits.add({m, std::move(*fit)}) : failure(fit.error());
    });
  });
}

int fj_fitAdvance(int fit) {
  FitEntry* f = runtime().fits.find(fit);
  if (!f) return failure("the training was ended: it cannot go on");
  Result<Fit::Event> event = f->fit->advance();
  return event ? static_cast<int>(*event) + 1 : failure(event.error());
}

int fj_fitState(int fit) {
  FitEntry* f = runtime().fits.find(fit);
  if (!f) return failure("the training was ended");
  const Fit& state = *f->fit;
  return text({{"epoch", state.epoch()},
               {"batch", state.batch()},
               {"batches", state.batches()},
               {"done", state.done()},
               {"reason", state.reason()},
               {"checkpoints", state.checkpoints()},
               {"logs", logsJson(state.logs())},
               {"batchLogs", logsJson(state.batchLogs())}});
}

void fj_fitStop(int fit) {
  if (FitEntry* f = runtime().fits.find(fit)) f->fit->stop();
}
void fj_fitFree(int fit) { runtime().fits.remove(fit); }

int fj_layerShape(const char* className, const char* config, const char* inputs) {
  return withJson(config, [&](const Json& c) {
    return withJson(inputs, [&](const Json& list) {
      std::vector<Type> types;
      for (const Json& j : list) {
        auto shape = intsOf<kMaxRank>(member(j, "shape"));
        if (!shape) return failure("an input needs a shape");
        types.push_back(
            {stringOr(j, "dtype", "float32") == "int32" ? DType::kI32 : DType::kF32, *shape});
      }
      Result<Type> type = inferLayer(className, c, types);
      return type ? text(typeJson(*type)) : failure(type.error());
    });
  });
}
