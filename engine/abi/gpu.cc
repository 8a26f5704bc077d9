// What a GPU computes, which the caller plays: steps of models, and ops of tensors.
#include <algorithm>

#include "abi/abi.h"
#include "abi/gpu_json.h"
#include "abi/runtime.h"

using namespace fjord;

namespace {
std::optional<GpuLimits> limitsOf(const double* numbers) {
  if (!numbers) return {};
  return GpuLimits{static_cast<int>(numbers[0]), static_cast<int64_t>(numbers[1]),
                   static_cast<int64_t>(numbers[2]), static_cast<int64_t>(numbers[3])};
}
int32_t addressOf(const void* p) { return static_cast<int32_t>(reinterpret_cast<intptr_t>(p)); }
}  // namespace

int fj_modelSetGpu(int model, const double* limits) {
  return withModel(model, [&](auto& m) {
    if (limits && m->isSharing())
      return failure("the model shares weights with another one, which is not done on a GPU");
    m->setGpu(limitsOf(limits));
    return 1;
  });
}

int fj_gpuBatch(int model, int train, const int32_t* xs, int xCount, const int32_t* ys,
                int yCount) {
  return withModel(model, [&](auto& m) {
    if (m->hasBegun())
      return failure("the model has batches of a fit on their way on the GPU: await that first");
    return withBatch(xs, xCount, ys, yCount, [&](const Batch& batch) {
      Status status = m->begin(train ? Model::kTrain : Model::kTest, batch);
      return status ? 1 : failure(status.error());
    });
  });
}

int fj_gpuPredict(int model, const int32_t* xs, int xCount, int begin, int count) {
  return withModel(model, [&](auto& m) {
    return withBatch(xs, xCount, nullptr, 0, [&](const Batch& batch) {
      Status status = m->beginPrediction(batch.x, begin, count);
      return status ? 1 : failure(status.error());
    });
  });
}

int fj_gpuStep(int model, int32_t* out, int room) {
  return withModel(model, [&](auto& m) {
    GpuStep step = m->gpuStep();
    if (!step.program) return failure("no step has begun on the GPU");
    int given =
        static_cast<int>(std::ranges::count(step.inputs, GpuInput::kGiven, &GpuInput::kind));
    if (room < 3 + 3 * given) return given + 1;
    *out++ = static_cast<int32_t>(step.serial);
    *out++ = addressOf(step.results.data());
    *out++ = static_cast<int32_t>(step.results.size());
    for (size_t i = 0; i < step.inputs.size(); ++i) {
      if (step.inputs[i].kind != GpuInput::kGiven) continue;
      *out++ = static_cast<int32_t>(i);
      *out++ = addressOf(step.inputs[i].data);
      *out++ = static_cast<int32_t>(step.inputs[i].bytes);
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

int fj_gpuFinish(int model, double* out, int room) {
  return withModel(model, [&](auto& m) {
    Totals& totals = runtime().totals;
    totals.clear();
    if (Status status = m->finish(totals); !status) return failure(status.error());
    return writeLogs(*m, totals, out, room);
  });
}

void* fj_gpuHostCopy(int model, int kind, int index) {
  void* data = nullptr;
  withModel(model, [&](auto& m) {
    auto find = [&](auto& list) {
      if (index >= 0 && index < static_cast<int>(list.size())) data = list[index].value.view().data;
    };
    if (kind == GpuInput::kState) {
      find(m->keptStates());
    } else {
      find(kind == GpuInput::kWeight ? m->mutableWeights() : m->slots());
    }
    return data ? 1 : failure(cat("the model has no array number ", index));
  });
  return data;
}

// ---- tensors

void fj_eagerGpu(int on, const double* device) {
  Runtime& r = runtime();
  // Plans are of one place.
  r.eager->clear();
  r.modelCalls.clear();
  r.optimizers.forEach([](auto& o) { o->clear(); });
  r.place->isRemote = on != 0;
  if (!device) return;
  int32_t first = r.place->remote ? r.place->remote->next() : 1;
  r.place->remote = std::make_unique<Remote>(*limitsOf(device), first);
  Buffer::onRelease = [](int32_t number) {
    if (Remote* remote = runtime().place->remote.get()) remote->release(number);
  };
}

const int32_t* fj_gpuCommands() { return runtime().place->remote->commands().data(); }

void fj_gpuPlayed() { runtime().place->remote->played(); }

int fj_gpuEagerProgram(int number) {
  const GpuProgram* program = runtime().place->remote->program(number);
  return program ? text(toJson(*program)) : failure(cat("there is no program number ", number));
}

int fj_gpuNumber(int tensor) {
  TensorEntry* t = tensorOf(tensor);
  return t && !t->tensor.buffer().data() ? t->tensor.buffer().number() : 0;
}

void* fj_gpuLand(int tensor) {
  TensorEntry* t = tensorOf(tensor);
  if (!t) return nullptr;
  Status landed = Buffer(t->tensor.buffer()).land();
  if (!landed) failure(landed.error());
  return t->tensor.view().data;
}
