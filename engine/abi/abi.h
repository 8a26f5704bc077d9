// The C ABI: what JavaScript calls. Numbers, pointers and handles only.
//
// Handles are positive integers, 0 for "none" and for failure; one that was given up is refused. After a failure fj_message()
// says why. Texts are UTF-8; a function that gives text leaves it in the message buffer as well.
// One thread at a time.
//
//   int x = fj_tensor(kF32, 2, (int[]){2, 3}, 0);   float* data = fj_data(x);
//   int y = fj_op(op, (int[]){x, w}, 2, nullptr, 0);
#pragma once

#include <stdint.h>

#if defined(__EMSCRIPTEN__)
#include <emscripten.h>
#define FJ_API EMSCRIPTEN_KEEPALIVE
#else
#define FJ_API
#endif
// What is exported is linked, with all that it calls. A build without training, or without shaders
// (base/parts.h), exports the rest.
#if !defined(FJORD_TRAINING) || FJORD_TRAINING
#define FJ_TRAIN FJ_API
#else
#define FJ_TRAIN
#endif
#if !defined(FJORD_GPU) || FJORD_GPU
#define FJ_GPU FJ_API
#else
#define FJ_GPU
#endif

extern "C" {

/// Starts the engine with this many threads (1 in builds without); gives their number. Again: another
/// number, while no optimizer, model or training lives. One computes until fj_startThreads.
FJ_API int fj_init(int threads);
/// The others join it as they come. A worker that the page forbids throws from here, past all of C++.
FJ_API void fj_startThreads();
/// How many optimizers, models, trainings and tensors live; the message names them, as in "1 model, 2 tensors".
FJ_API int fj_living();
FJ_API const char* fj_message();
FJ_API int fj_messageLength();
/// out[0] tensors, weights and optimizers' states of models among them, [1] their bytes, [2] buffers, [3] bytes of all buffers, plans' arenas and
/// models included.
FJ_API void fj_memory(double* out);

// ---- tensors ----
/// dtype: 0 float32, 1 int32, 2 bool (as int32). Uninitialised. `there`: on the GPU, where the caller makes
/// the buffer for its number.
FJ_API int fj_tensor(int dtype, int rank, const int32_t* shape, int there);
FJ_API void* fj_data(int tensor);
FJ_API int fj_dtype(int tensor);
/// Writes up to 8 numbers, returns how many.
FJ_API int fj_shape(int tensor, int32_t* out);
/// A second handle of the same values.
FJ_API int fj_clone(int tensor);
FJ_API int fj_dispose(int tensor);

// ---- ops and gradients ----
/// The number of the op with this name, or -1.
FJ_API int fj_opNumber(const char* name);
/// `attributes` as ops/op.h's AttrReader reads them, all or none.
FJ_API int fj_op(int op, const int32_t* inputs, int count, const double* attributes,
                 int attributeCount);
FJ_TRAIN void fj_tapeStart();
FJ_TRAIN void fj_tapeStop();
/// Whether tapes leave out what runs from now on.
FJ_TRAIN void fj_tapePause(int paused);
/// A model has judged `input` by `output`, as evaluate does: a gradient through it is an error.
FJ_TRAIN int fj_tapeModel(int input, int output);
/// JSON text: the trainable weights of the models that fj_modelApply has called for the innermost tape, [[model,
/// number of the weight], ..]. One that several models have is listed once.
FJ_TRAIN int fj_tapeWeights();
/// Gradients of y by xs into out[count], 0 where y does not depend on an x. dy may be 0. all: xs are all
/// variables that there are. Returns 1, or 0 on failure.
FJ_TRAIN int fj_gradients(int y, int dy, const int32_t* xs, int count, int all, int32_t* out);
/// {"class_name", "config"} as Keras writes it.
FJ_TRAIN int fj_optimizer(const char* json);
/// Updates the tensors of variables in place, or in a new handle where others share the memory:
/// variables[i] is replaced.
FJ_TRAIN int fj_optimizerApply(int optimizer, int32_t* variables, const int32_t* ids,
                               const int32_t* gradients, int count);
/// The learning rate of the next step; setting it replaces a schedule.
FJ_TRAIN double fj_optimizerRate(int optimizer);
FJ_TRAIN void fj_optimizerSetRate(int optimizer, double rate);
FJ_TRAIN void fj_optimizerFree(int optimizer);

// ---- models ----
/// `draws`: 1 draws weights by their initializers, 0 leaves zeros for fj_modelSetWeight. `shared`: null, or
/// as JSON a list: [path, model, path there] for layers whose weights are those of another model, "base/dense",
/// or "" for all of a model; [path, number] for layers that are written in JavaScript.
FJ_API int fj_model(const char* json, uint32_t seed, int draws, const char* shared);
FJ_API void fj_modelFree(int model);
FJ_TRAIN int fj_modelCompile(int model, const char* json);
/// Leaves the file of io/model_file.h in the message buffer: bytes, not text.
FJ_TRAIN int fj_modelSave(int model, int optimizer);
/// A model from such a file, which is copied. `traced`: null, or as JSON [[path, number], ..] as above.
FJ_API int fj_modelLoad(const uint8_t* file, int length, const char* traced);
/// JSON text: {"model": the description, "training": the arguments of compile or null}.
FJ_API int fj_modelDescription(int model);
/// What layers, by their names, and the whole model are from now on: {"model": true, "layers":
/// {"dense_1": false}}. Training goes by it from the next fj_modelCompile on.
FJ_TRAIN int fj_modelTrainable(int model, const char* json);
/// JSON text: {"inputs": [{name, dtype, shape}], "outputs": [...], "weights": [{name, shape,
/// trainable}], "slots": [{name, shape}], "seed", "summary", "step", "rate", "logs": how many values
/// a step of the compiled model logs, "bySample": whether the first axis of all outputs counts samples,
/// "shares": whether other models have some of the weights}.
FJ_API int fj_modelInfo(int model);
/// JSON text: how the model's layers are joined, in the order of the calls: {"calls": [{"layer", "node",
/// "inputs": [[layer, call, output], ..], "outputs": [{dtype, shape}], "arguments": what else the call says, if
/// it does}], "inputs": [[layer, call, output], ..], "outputs": likewise}.
FJ_TRAIN int fj_modelGraph(int model);
FJ_API int fj_modelWeight(int model, int index);
FJ_API int fj_modelSetWeight(int model, int index, int tensor);
/// All weights, or none where a value is of another type than its weight.
FJ_API int fj_modelSetWeights(int model, const int32_t* tensors, int count);
/// The optimizer's state: by number to read, by name to restore, which may come before the first
/// training step.
FJ_TRAIN int fj_modelSlot(int model, int index);
FJ_TRAIN int fj_modelSetSlot(int model, const char* name, int tensor);
FJ_TRAIN int fj_modelSetStep(int model, double step);
/// What stateful layers keep from batch to batch begins anew: that of the layer at `path`, or "": of all.
FJ_API int fj_modelResetStates(int model, const char* path);
FJ_TRAIN int fj_modelSetRate(int model, double rate);
/// Whether convolutions may use Winograd's algorithm.
FJ_API int fj_modelSetWinograd(int model, int allowed);
/// Its steps are planned anew, as layers of the program have changed.
FJ_TRAIN int fj_modelForgetPlans(int model);
/// JSON: the bytes that a step holds, of training (1) or of predicting (0).
FJ_API int fj_modelMemory(int model, int train, int batch);
/// Plans a step of training (1) or of predicting (0) before it is needed.
FJ_API int fj_modelPrepare(int model, int train, int batch);
/// Writes the handles of the outputs, returns how many; they have to fit into out[room]. Where it takes
/// more than so many milliseconds (0: however long) it stops, and returns their negative number: the outputs
/// have their values once fj_predictGoOn has said so, and are not to be read before. One prediction at a
/// time is stopped: another one runs the first to its end.
FJ_API int fj_modelPredict(int model, const int32_t* xs, int count, int batchSize,
                           double milliseconds, int32_t* out, int room);
/// The outputs for these inputs, all rows at once, as in training or as in prediction; tapes record the call, so
/// that it can be differentiated by inputs and weights. Writes and returns as fj_modelPredict.
FJ_TRAIN int fj_modelApply(int model, const int32_t* xs, int count, int training, int32_t* out,
                           int room);
/// A tensor that is a weight: what writes to it writes to the model.
FJ_TRAIN int fj_modelVariable(int model, int index);
/// Goes on with the prediction that has stopped, for so long. Returns 1 when it is done, 2 when there is more to do.
FJ_API int fj_predictGoOn(double milliseconds);
/// One training (1) or test (0) step on whole arrays. Writes loss and metrics, returns how many; they
/// have to fit into out[room].
FJ_TRAIN int fj_modelBatch(int model, int train, const int32_t* xs, int xCount, const int32_t* ys,
                           int yCount, double* out, int room);

// ---- models on a GPU, which JavaScript runs ----
/// limits: bindings, bindingBytes, bufferBytes, groupsPerDimension (run/gpu.h); null: the CPU again.
FJ_GPU int fj_modelSetGpu(int model, const double* limits);
/// The first half of fj_modelBatch.
FJ_GPU int fj_gpuBatch(int model, int train, const int32_t* xs, int xCount, const int32_t* ys,
                       int yCount);
/// The same for predicting rows [begin, begin + count).
FJ_GPU int fj_gpuPredict(int model, const int32_t* xs, int xCount, int begin, int count);
/// The step that has begun: out[0] the number of its program, [1] where its results go, [2] how many
/// floats they are, then for each input that is given anew its number, address and bytes. Returns how
/// many of these there are, plus one; nothing is written where they do not fit into out[room].
FJ_GPU int fj_gpuStep(int model, int32_t* out, int room);
/// Its program as JSON text (abi/gpu_json.h), with "sources": for each input 0 given, 1 a weight, 2 a
/// piece of the optimizer's state or 3 what a stateful layer keeps, and its number.
FJ_GPU int fj_gpuProgram(int model);
/// The second half of fj_modelBatch.
FJ_GPU int fj_gpuFinish(int model, double* out, int room);
/// Where the host's copy of a weight (1), a piece of the optimizer's state (2) or what a stateful layer
/// keeps (3) lies.
FJ_GPU void* fj_gpuHostCopy(int model, int kind, int index);

// ---- tensors on a GPU, which JavaScript runs ----
/// Whether ops run there from now on. device: limits as above where it is another device than before, whose
/// values are lost; else null.
FJ_GPU void fj_eagerGpu(int on, const double* device);
/// What is to be done there since the last call of fj_gpuPlayed (abi/remote.h); [0] how many numbers follow.
FJ_GPU const int32_t* fj_gpuCommands();
FJ_GPU void fj_gpuPlayed();
/// A program of a command as JSON text (abi/gpu_json.h).
FJ_GPU int fj_gpuEagerProgram(int number);
/// The number of a tensor whose values are there only, else 0.
FJ_GPU int fj_gpuNumber(int tensor);
/// Where its values are to be written to, to be here as well.
FJ_GPU void* fj_gpuLand(int tensor);

// ---- training ----
/// arrays: x, y and weights of samples, then those of validation; counts: of each of the six. Weights
/// are none, one for all outputs, or one for each. options: {"epochs", "batchSize", "shuffle",
/// "validationSplit", "initialEpoch", "classWeight", "callbacks", "evaluate"}.
FJ_TRAIN int fj_fit(int model, const int32_t* arrays, const int32_t* counts, const char* options);
/// For a model on a GPU: begins the next batch, after those that have begun. Returns 1 there is none to
/// begin now, 2 a training batch, 3 another, 0 failure.
FJ_TRAIN int fj_fitBegin(int fit);
/// Runs one batch, or finishes the first that has begun. Returns 1 batch, 2 validation batch, 3 end of
/// an epoch, 4 where a batch takes more than so many milliseconds (0: however long) and is to be gone on
/// with, 0 failure. Writes to out[3]: batches of the epoch so far, whether it is done, the loss of the batch.
FJ_TRAIN int fj_fitAdvance(int fit, double milliseconds, double* out);
/// JSON text: {"epoch", "batch", "batches", "size": samples of the next batch, "done", "reason", "checkpoints": [..], "logs": {..} of
/// the epoch so far, "batchLogs": {..} of the last batch}.
FJ_TRAIN int fj_fitState(int fit);
/// No other batch begins, and one that has stopped is dropped if it has changed nothing yet. Returns 1 where
/// it is over with that, 2 where fj_fitAdvance has still to end a batch or an epoch.
FJ_TRAIN int fj_fitStop(int fit);
FJ_TRAIN void fj_fitFree(int fit);
/// All arguments of a layer as JSON text, those that the config does not say with their defaults.
FJ_TRAIN int fj_layerConfig(const char* className, const char* config);
/// The outputs of a layer for these inputs, as JSON text [{"dtype", "shape"}]: inputs is such a list, too.
/// `arguments` is what the call says beside them, null or an object.
FJ_TRAIN int fj_layerShape(const char* className, const char* config, const char* inputs,
                           const char* arguments);

// ---- functions of JavaScript within models ----
// While a graph is built the engine calls fj_trace for a function or a layer that is written in JavaScript (nn/traced.h). Tensors
// that stand for values of the graph go through fj_op as all others do, and their results are such tensors.

/// inputs: `count` tensors, then as many masks, 0 for none. Calls the function, which leaves its results by fj_traced.
/// JavaScript has it (web/trace.js): 1, or 0 where it has failed.
int fj_trace(int number, const int32_t* inputs, int count, int training);
/// The results of the function that is being traced, with their masks or null; or why there are none.
FJ_TRAIN void fj_traced(const int32_t* outputs, int count, const int32_t* masks, const char* error);
/// A weight of the layer that is being traced, made on first use: {"name", "shape", "initializer", "regularizer", "constraint",
/// "trainable"}. One that is not trainable can be updated.
FJ_TRAIN int fj_traceWeight(const char* json);
/// After the step the weight has this value.
FJ_TRAIN int fj_traceUpdate(int weight, int value);
/// What random ops draw from, anew in each step.
FJ_TRAIN int fj_traceRandom();
/// Calls a layer {"class_name", "config"} within the one that is being traced. Writes and returns as fj_modelPredict.
FJ_TRAIN int fj_traceLayer(const char* json, const int32_t* inputs, int count, int32_t* out,
                           int room);
}
