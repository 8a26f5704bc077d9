// Models and their training.
#include "abi/abi.h"
#include "abi/runtime.h"
#include "base/parts.h"
#include "io/model_file.h"

using namespace fjord;

namespace {

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

/// [path, model, path there] or [path, number] each; false, and a failure, where one cannot be.
int collectGiven(const char* source, std::vector<SharedLayer>& out, Json& traced) {
  return withJson(source, [&](const Json& list) {
    for (const Json& j : list) {
      if (kTrains && j.size() == 2 && j[0].is_string() && j[1].is_number()) {
        traced[j[0].get<std::string>()] = j[1];
        continue;
      }
      bool isShared =
          j.is_array() && j.size() == 3 && j[0].is_string() && j[1].is_number() && j[2].is_string();
      if (!isShared) return failure("a shared layer is [path, model, path there]");
      std::shared_ptr<Model>* other = runtime().models.find(j[1].get<int>());
      if (!other) return failure("the model whose layer is shared was disposed of");
      out.push_back({j[0].get<std::string>(), other->get(), j[2].get<std::string>()});
    }
    return 1;
  });
}

/// So many milliseconds; 0 is no budget.
class BudgetOf {
 public:
  explicit BudgetOf(double milliseconds) {
    if (milliseconds > 0) budget_.emplace(milliseconds);
  }
  operator const Budget*() const { return budget_ ? &*budget_ : nullptr; }

 private:
  std::optional<Budget> budget_;
};

}  // namespace

int fj_model(const char* json, uint32_t seed, int draws, const char* shared) {
  return withJson(json, [&](const Json& j) {
    ModelOptions options{.seed = seed};
    if (shared && !collectGiven(shared, options.shared, options.traced)) return 0;
    if (!draws)
      options.weights = [](const std::string&, const Shape& shape) {
        return Tensor::zeros({DType::kF32, shape});
      };
    Result<std::unique_ptr<Model>> model = Model::fromJson(j, *runtime().threads, options);
    return model ? runtime().models.add(std::move(*model)) : failure(model.error());
  });
}
void fj_modelFree(int model) { runtime().models.remove(model); }

int fj_modelCompile(int model, const char* json) {
  return withModel(model, [&](auto& m) {
    return withJson(json, [&](const Json& j) {
      runtime().modelCalls.clear();  // they are of the layers that were trained before
      Status status = m->compile(j);
      return status ? 1 : failure(status.error());
    });
  });
}

int fj_modelTrainable(int model, const char* json) {
  return withModel(model, [&](auto& m) {
    return withJson(json, [&](const Json& j) {
      Status status = m->setTrainable(boolOr(j, "model", true), member(j, "layers"));
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

int fj_modelLoad(const uint8_t* bytes, int length, const char* traced) {
  std::vector<SharedLayer> shared;
  Json numbers;
  if (traced && !collectGiven(traced, shared, numbers)) return 0;
  Result<Safetensors> file =
      readSafetensors(std::as_bytes(std::span(bytes, static_cast<size_t>(length))));
  if (!file) return failure(file.error());
  Result<std::unique_ptr<Model>> model = loadModel(*file, *runtime().threads, numbers);
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
    for (const Type& t : m->inputTypes()) {
      inputs.push_back(typeJson(t));
      inputs.back()["name"] = m->inputName(inputs.size() - 1);
    }
    for (const Type& t : m->outputTypes()) {
      outputs.push_back(typeJson(t));
      outputs.back()["name"] = m->outputName(outputs.size() - 1);
    }
    for (const Weight& w : m->weights()) {
      Json j = typeJson(w.value.type());
      j["name"] = w.name;
      j["trainable"] = m->isTrainable(w);
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
                 {"openSize", m->openSize()},
                 {"step", m->step()},
                 {"rate", m->rate()},
                 {"logs", m->logCount()},
                 {"bySample", m->isBySample()},
                 {"shares", m->isSharing()}});
  });
}

namespace {

Json refJson(const Topology& t, Topology::TensorRef ref) {
  return Json::array({t.layers[ref.layer].name, ref.node, ref.tensor});
}
Json refsJson(const Topology& t, std::span<const Topology::TensorRef> refs) {
  Json list = Json::array();
  for (Topology::TensorRef ref : refs) list.push_back(refJson(t, ref));
  return list;
}

}  // namespace

int fj_modelGraph(int model) {
  return withModel(model, [&](auto& m) {
    const Topology& t = m->topology();
    Json calls = Json::array();
    for (const Model::CallInfo& info : m->calls()) {
      const Topology::Layer& layer = t.layers[info.call.layer];
      Json outputs = Json::array();
      for (const Type& type : info.outputs) outputs.push_back(typeJson(type));
      const Topology::Call& call = layer.calls[info.call.node];
      calls.push_back({{"layer", layer.name},
                       {"node", info.call.node},
                       {"inputs", refsJson(t, call.inputs)},
                       {"outputs", outputs}});
      Json said = call.arguments;
      if (call.training) said["training"] = *call.training;
      if (!said.empty()) calls.back()["arguments"] = said;
    }
    return text(
        {{"calls", calls}, {"inputs", refsJson(t, t.inputs)}, {"outputs", refsJson(t, t.outputs)}});
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
    TensorEntry* t = tensorHere(tensor);
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

int fj_modelSetWeights(int model, const int32_t* tensors, int count) {
  return withModel(model, [&](auto& m) {
    std::vector<Tensor> values;
    if (!collect(tensors, count, values)) return 0;
    Status status = m->setWeights(values);
    return status ? 1 : failure(status.error());
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
    TensorEntry* t = tensorHere(tensor);
    if (!t) return 0;
    Result<Tensor> copy = t->tensor.copy();
    if (!copy) return failure(copy.error());
    Status status = m->setSlot(name, std::move(*copy));
    return status ? 1 : failure(status.error());
  });
}

int fj_modelSetStep(int model, double step) {
  return withModel(model, [&](auto& m) {
    m->setStep(static_cast<int64_t>(step));
    return 1;
  });
}

int fj_modelResetStates(int model, const char* path) {
  return withModel(model, [&](auto& m) {
    m->resetStates(path);
    return 1;
  });
}

int fj_modelSetRate(int model, double rate) {
  return withModel(model, [&](auto& m) {
    if (!(rate >= 0 && rate - rate == 0))
      return failure(cat("the learning rate must be a finite number, at least 0, got ", rate));
    m->setRate(rate);
    return 1;
  });
}

int fj_modelSetWinograd(int model, int allowed) {
  return withModel(model, [&](auto& m) {
    Status status = m->setWinograd(allowed != 0);
    return status ? 1 : failure(status.error());
  });
}

int fj_modelForgetPlans(int model) {
  return withModel(model, [&](auto& m) {
    Status status = m->forgetPrograms("a layer that has changed");
    return status ? 1 : failure(status.error());
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

int fj_modelPredict(int model, const int32_t* xs, int count, int batchSize, double milliseconds,
                    int32_t* out, int room) {
  return withModel(model, [&](auto& m) {
    if (batchSize < 1) return failure(cat("batchSize must be at least 1, got ", batchSize));
    return withBatch(xs, count, nullptr, 0, [&](const Batch& batch) {
      std::unique_ptr<Prediction>& last = runtime().prediction;
      if (last && last->paused.model) last->model->complete(Model::kChange);
      PausedPrediction prediction;
      Result<bool> done = m->predict(batch.x, batchSize, prediction, BudgetOf(milliseconds));
      if (!done) return failure(done.error());
      int outputs = static_cast<int>(prediction.outputs.size());
      if (outputs > room)
        return failure(cat("there is room for ", room, " of ", outputs, " outputs"));
      for (int i = 0; i < outputs; ++i) out[i] = newTensor(Result<Tensor>(prediction.outputs[i]));
      if (*done) return outputs;
      last.reset(new Prediction{m, std::move(prediction)});
      return -outputs;
    });
  });
}

int fj_predictGoOn(double milliseconds) {
  std::unique_ptr<Prediction>& prediction = runtime().prediction;
  if (!prediction) return failure("no prediction has stopped");
  PausedPrediction& paused = prediction->paused;
  Result<bool> done = true;
  if (paused.model) {
    done = paused.model->goOn(paused, BudgetOf(milliseconds));
  } else if (!paused.status) {
    done = std::unexpected(paused.status.error());
  }
  if (done && !*done) return 2;
  prediction.reset();
  return done ? 1 : failure(done.error());
}

int fj_modelBatch(int model, int train, const int32_t* xs, int xCount, const int32_t* ys,
                  int yCount, double* out, int room) {
  return withModel(model, [&](auto& m) {
    return withBatch(xs, xCount, ys, yCount, [&](const Batch& batch) {
      Totals& totals = runtime().totals;
      totals.clear();
      Status status = m->run(train ? Model::kTrain : Model::kTest, batch, totals);
      return status ? writeLogs(*m, totals, out, room) : failure(status.error());
    });
  });
}

int fj_fit(int model, const int32_t* arrays, const int32_t* counts, const char* options) {
  return withModel(model, [&](auto& m) {
    return withJson(options, [&](const Json& j) {
      Samples samples, held;
      for (auto* list :
           {&samples.x, &samples.y, &samples.weights, &held.x, &held.y, &held.weights}) {
        if (!collect(arrays, *counts, *list)) return 0;
        arrays += *counts++;
      }
      // Evaluation takes the same options.
      Json given = j;
      bool evaluates = boolOr(j, "evaluate", false);
      given.erase("evaluate");
      Result<FitOptions> o = FitOptions::of(given);
      if (!o) return failure(o.error());
      Result<std::unique_ptr<Fit>> fit =
          evaluates ? Fit::evaluation(*m, std::move(samples), o->batchSize)
                    : Fit::begin(*m, std::move(samples), *o, std::move(held));
      return fit ? runtime().fits.add({m, std::move(*fit)}) : failure(fit.error());
    });
  });
}

int fj_fitBegin(int fit) {
  FitEntry* f = runtime().fits.find(fit);
  if (!f) return failure("the training was ended: it cannot go on");
  bool trains = f->fit->mode() == Model::kTrain;
  Result<bool> begun = f->fit->beginBatch();
  if (!begun) return failure(begun.error());
  return !*begun ? 1 : trains ? 2 : 3;
}

int fj_fitAdvance(int fit, double milliseconds, double* out) {
  FitEntry* f = runtime().fits.find(fit);
  if (!f) return failure("the training was ended: it cannot go on");
  Result<Fit::Event> event = f->fit->advance(BudgetOf(milliseconds));
  if (!event) return failure(event.error());
  out[0] = f->fit->batch();
  out[1] = f->fit->done();
  out[2] = f->fit->batchLogs().empty() ? 0 : f->fit->batchLogs()[0].second;
  return static_cast<int>(*event) + 1;
}

int fj_fitState(int fit) {
  FitEntry* f = runtime().fits.find(fit);
  if (!f) return failure("the training was ended");
  const Fit& state = *f->fit;
  return text({{"epoch", state.epoch()},
               {"batch", state.batch()},
               {"batches", state.batches()},
               {"size", state.batchSamples()},
               {"done", state.done()},
               {"reason", state.reason()},
               {"checkpoints", state.checkpoints()},
               {"logs", logsJson(state.logs())},
               {"batchLogs", logsJson(state.batchLogs())}});
}

int fj_fitStop(int fit) {
  FitEntry* f = runtime().fits.find(fit);
  if (!f) return failure("the training was ended");
  f->fit->stop();
  return f->fit->done() ? 1 : 2;
}
void fj_fitFree(int fit) { runtime().fits.remove(fit); }

int fj_layerConfig(const char* className, const char* config) {
  return withJson(config, [&](const Json& c) {
    const LayerRow* row = findLayer(className);
    if (!row) return failure(unknownLayer(className).error());
    Result<Fields> fields = layerFields(*row, c);
    return fields ? text(fields->complete()) : failure(fields.error());
  });
}

int fj_layerShape(const char* className, const char* config, const char* inputs,
                  const char* arguments) {
  Result<Json> c = parseJson(config), list = parseJson(inputs), said = parseJson(arguments);
  for (const Result<Json>* json : {&c, &list, &said}) {
    if (!*json) return failure(json->error());
  }
  std::vector<Type> types;
  for (const Json& j : *list) {
    auto shape = intsOf<kMaxRank>(member(j, "shape"));
    if (!shape) return failure("an input needs a shape");
    types.push_back(
        {stringOr(j, "dtype", "float32") == "int32" ? DType::kI32 : DType::kF32, *shape});
  }
  Result<std::vector<Type>> outputs = inferLayer(className, *c, types, *said);
  if (!outputs) return failure(outputs.error());
  Json described = Json::array();
  for (const Type& type : *outputs) described.push_back(typeJson(type));
  return text(described);
}
