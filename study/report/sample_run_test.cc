#include "report/sample_run.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "base/text.h"
#include "report/cells.h"

namespace fjord::study {

const std::vector<Family>& networks() {
  static const std::vector<Family> kFamilies = *readFamilies(FJORD_ROOT "/study");
  return kFamilies;
}

SampleRun::SampleRun() {
  input.catalogue.families = networks();
  Run& run = input.run;
  run.id = 1;
  run.started = "2026-10-01T12:00:00Z";
  run.ended = "2026-10-01T13:30:00Z";
  run.machine = {"quiet-fjord", "A processor", 4, 8'000'000'000, "Linux", "A GPU"};
  run.browser = "Chromium 156.0";
  run.seed = 7;
  input.modules = FJORD_ROOT "/node_modules";
  for (const char* name : {"probe", "empty", "stack", "save", "train", "infer"}) {
    Task& task = input.catalogue.tasks.emplace_back();
    task.name = task.title = name;
    task.sized = task.name == "save" || task.name == "train" || task.name == "infer";
  }
}

Subject& SampleRun::subject(const std::string& name, const std::string& title,
                            const std::vector<Way>& ways) {
  Subject& subject = input.catalogue.subjects.emplace_back();
  subject.name = name;
  subject.title = title;
  for (const Way& way : ways) {
    Backend& backend = subject.backends.emplace_back();
    backend.name = way.name;
    backend.title = way.title;
    backend.gpu = way.gpu;
  }
  return subject;
}

TrialRow& SampleRun::add(const Cell& cell) {
  auto round = std::ranges::count_if(input.trials,
                                     [&](const TrialRow& row) { return row.trial.cell == cell; });
  TrialRow& row = input.trials.emplace_back();
  row.run = 1;
  row.seconds = 1;
  row.trial = {.id = static_cast<int64_t>(input.trials.size()),
               .round = static_cast<int>(round),
               .cell = cell};
  return row;
}

SampleRun& SampleRun::ok(const Cell& cell,
                         const std::vector<std::pair<std::string, double>>& samples) {
  TrialResult& result = add(cell).result;
  result.outcome = Outcome::kOk;
  for (const auto& [phase, value] : samples) {
    auto known = std::ranges::find(kPhases, phase, &Phase::name);
    result.samples.push_back({phase, known->unit, value});
  }
  return *this;
}

SampleRun& SampleRun::ended(const Cell& cell, Outcome outcome, const std::string& message) {
  TrialResult& result = add(cell).result;
  result.outcome = outcome;
  result.message = message;
  return *this;
}

SampleRun& SampleRun::facts(const std::string& subject, const std::string& backend,
                            const Json& facts) {
  TrialResult& result = add({subject, backend, "probe", {}}).result;
  result.outcome = Outcome::kOk;
  result.facts = facts;
  return *this;
}

// ---- a whole run

namespace {

/// How a backend's times come about: a part for each call, a part for each multiplication.
struct Speed {
  const char* backend;
  double call;      // ms a layer
  double training;  // million multiplications a ms
  double first;     // ms that the first step takes more
  double load;      // ms
  double cpu;       // percent of a core
  double depth;     // calls
};

double multiplications(const Workload& workload) {
  return float32Bytes(networks(), workload, false) / 4;
}

/// Values of a hidden trial: about `centre`, some percent up and down.
double around(Random& random, double centre) { return centre * std::exp(0.05 * random.normal()); }

class Writer {
 public:
  explicit Writer(SampleRun& run) : run_(run) {}

  void train(const Subject& subject, const Speed& speed, const Workload& workload) {
    Cell cell{subject.name, speed.backend, "train", workload};
    double step = speed.call * (workload.depth + 1) * 3 +
                  64 * 3 * multiplications(workload) / 1e6 / speed.training;
    if (!subject.refuses(speed.backend, "train").empty()) {
      run_.ended(cell, Outcome::kUnsupported, subject.refuses(speed.backend, "train"));
    } else if (step > 6000) {
      run_.ended(cell, Outcome::kTimeout, "");
      run_.input.trials.back().seconds = 61;
    } else {
      common(cell, speed, step);
      TrialResult& result = run_.input.trials.back().result;
      for (int i = 0; i < 12; ++i) add("cpu", around(random_, speed.cpu));
      for (int i = 0; i < 30; ++i) add("frame", std::max(16.7, around(random_, step)));
      if (step > 50) add("longtask", around(random_, step));
      add("memory", 2e8 + 12 * float32Bytes(networks(), workload, true) + 1e6 * speed.first / 40);
      add("heap", 1e7 + 6 * float32Bytes(networks(), workload, true));
      result.correctness = {"loss", 1e-7 * std::abs(random_.normal()), 1e-3};
    }
  }

  void infer(const Subject& subject, const Speed& speed, const Workload& workload) {
    Cell cell{subject.name, speed.backend, "infer", workload};
    double step =
        speed.call * (workload.depth + 1) + multiplications(workload) / 1e6 / speed.training;
    common(cell, speed, step);
    add("load", around(random_, speed.load + float32Bytes(networks(), workload, true) / 1e6 *
                                                 speed.load / 10));
    run_.input.trials.back().result.correctness = {"output", 2e-7, 1e-3};
  }

 private:
  void add(const char* phase, double value) {
    auto known = std::ranges::find(kPhases, std::string_view(phase), &Phase::name);
    run_.input.trials.back().result.samples.push_back({phase, known->unit, value});
  }

  void common(const Cell& cell, const Speed& speed, double step) {
    run_.ok(cell, {{"download", around(random_, 9)}, {"parse", around(random_, 30)}});
    TrialResult& result = run_.input.trials.back().result;
    result.version = "1.2.3";
    result.engine = std::string(speed.backend) + ", 1 thread";
    add("start", around(random_, 2));
    add("first", around(random_, step + speed.first));
    for (int i = 0; i < 9; ++i) add("steady", around(random_, step));
  }

  SampleRun& run_;
  Random random_{7};
};

struct Framework {
  const char* name;
  const char* title;
  std::vector<SampleRun::Way> ways;
  std::vector<Speed> speeds;
  double bytes;  // of a file, a weight; 0 where it keeps none
};

const std::vector<Framework>& frameworks() {
  static const std::vector<Framework> all = {
      {"brainjs", "brain.js", {{"cpu", "JavaScript"}}, {{"cpu", 0.01, 0.12, 5, 20, 101, 6}}, 26.5},
      {"convnetjs", "ConvNetJS", {{"cpu", "JavaScript"}}, {{"cpu", 0.01, 0.42, 3, 15, 103, 3}}, 27},
      {"fjord",
       "Fjord",
       {{"wasm", "WebAssembly"},
        {"wasm-threads", "WebAssembly, threads"},
        {"webgpu", "WebGPU", true}},
       {{"wasm", 0.02, 9, 12, 3, 101, 9},
        {"wasm-threads", 0.04, 16, 14, 3, 182, 9},
        {"webgpu", 1, 2, 600, 9, 190, 12}},
       4},
      {"jax-js",
       "jax-js",
       {{"wasm", "WebAssembly"}, {"webgpu", "WebGPU", true}},
       {{"wasm", 0.1, 4, 90, 6, 102, 31}, {"webgpu", 1.5, 0.5, 1200, 12, 180, 33}},
       4},
      {"kerasjs",
       "Keras.js",
       {{"cpu", "JavaScript"}, {"webgl", "WebGL", true}},
       {{"cpu", 0.2, 0.5, 2, 60, 100, 0}, {"webgl", 1, 0.8, 18, 180, 120, 0}},
       4},
      {"litert", "LiteRT.js", {{"wasm", "WebAssembly"}}, {{"wasm", 0.005, 12, 3, 20, 100, 0}}, 4},
      {"mind", "Mind", {{"cpu", "JavaScript"}}, {{"cpu", 0.05, 0.03, 3, 20, 101, 7}}, 20},
      {"onnxruntime-web",
       "ONNX Runtime Web",
       {{"wasm", "WebAssembly"}, {"webgpu", "WebGPU", true}},
       {{"wasm", 0.02, 10, 4, 25, 150, 0}, {"webgpu", 1.2, 1, 900, 60, 180, 0}},
       4},
      {"synaptic",
       "synaptic",
       {{"cpu", "JavaScript"}},
       {{"cpu", 0.1, 0.007, 1800, 900, 102, 5}},
       67},
      {"tfjs",
       "TensorFlow.js",
       {{"cpu", "JavaScript"},
        {"wasm", "WebAssembly"},
        {"webgl", "WebGL", true},
        {"webgpu", "WebGPU", true}},
       {{"cpu", 0.4, 0.25, 90, 14, 96, 46},
        {"wasm", 0.4, 1.7, 30, 14, 103, 44},
        {"webgl", 2, 0.8, 2200, 20, 140, 48},
        {"webgpu", 9, 0.2, 2700, 22, 150, 47}},
       4.02},
      {"webdnn",
       "WebDNN",
       {{"fallback", "JavaScript"}, {"webassembly", "WebAssembly"}, {"webgl", "WebGL", true}},
       {{"fallback", 0.01, 0.9, 1, 55, 100, 0}, {"webgl", 1.1, 0.8, 19, 90, 110, 0}},
       4.01},
      {"fjord-native",
       "Fjord (native)",
       {{"1-thread", "1 thread"}, {"threads", "threads"}},
       {{"1-thread", 0.005, 28, 0.2, 0.4, 100, 0}, {"threads", 0.01, 50, 0.3, 0.4, 195, 0}},
       4},
      {"onnxruntime", "ONNX Runtime", {{"cpu", "CPU"}}, {{"cpu", 0.004, 24, 0.3, 4, 190, 0}}, 0},
      {"tensorflow", "TensorFlow", {{"cpu", "CPU"}}, {{"cpu", 0.05, 22, 300, 40, 180, 0}}, 4.1},
  };
  return all;
}

Json factsOf(const std::string& name) {
  bool infers =
      name == "kerasjs" || name == "webdnn" || name.starts_with("onnx") || name == "litert";
  bool small = name == "brainjs" || name == "synaptic" || name == "mind";
  return {{"training", !infers},
          {"cnn", !small},
          {"rnn", name != "convnetjs" && name != "mind"},
          {"layers", Json::array({"dense", "dropout", "conv2d"})},
          {"activations", Json::array({"relu", "sigmoid", "tanh", "softmax"})},
          {"optimizers", infers ? Json::array() : Json::array({"sgd", "adam"})},
          {"save", !infers},
          {"load", true}};
}

void describe(Subject& subject) {
  const std::string& name = subject.name;
  subject.native = name == "fjord-native" || name == "onnxruntime" || name == "tensorflow";
  if (name == "mind") {
    subject.note = "own implementation of the documented Mind 1.0.1: it is not on npm";
    subject.style.bias = false;
  }
  struct Package {
    const char *subject, *name, *file;
  };
  constexpr Package kPackages[] = {
      {"brainjs", "brain.js", "browser.min.js"},
      {"convnetjs", "convnetjs", "build/convnet-min.js"},
      {"fjord", "fjord", "fjord.js"},
      {"jax-js", "@jax-js/jax", "dist/index.js"},
      {"kerasjs", "keras-js", "dist/keras.min.js"},
      {"litert", "@litertjs/core", "dist/index.js"},
      {"onnxruntime-web", "onnxruntime-web", "dist/ort.wasm.min.js"},
      {"synaptic", "synaptic", "dist/synaptic.min.js"},
      {"tfjs", "@tensorflow/tfjs", "dist/tf.min.js"},
      {"webdnn", "webdnn", "dist/webdnn.js"},
  };
  for (const Package& package : kPackages) {
    if (name != package.subject) continue;
    subject.packages = {package.name};
    subject.files = {cat(package.name, "/", package.file)};
  }
  if (name == "tfjs")
    subject.backends[1].files = {"@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js"};
  if (name == "webdnn")
    subject.backends[1].unsupported["infer"] =
        "its kernels are made by a converter that does not run here";
  for (const char* trainsNot : {"kerasjs", "webdnn", "onnxruntime-web", "onnxruntime", "litert"}) {
    if (name == trainsNot) subject.training = "none";
  }
}

}  // namespace

ReportInput wholeRun() {
  SampleRun run;
  run.input.run.machine.cpu = "A Processor at 2.8 GHz";
  run.input.run.machine.cores = 2;
  run.input.run.machine.gpu = "Google SwiftShader (Subzero)";
  run.input.run.options = {{"rounds", 3}, {"budget", 20000}};
  for (const Framework& f : frameworks()) describe(run.subject(f.name, f.title, f.ways));
  std::ranges::sort(run.input.catalogue.subjects, {}, &Subject::name);
  Writer writer(run);
  for (int round = 0; round < 3; ++round) {
    for (const Framework& f : frameworks()) {
      const Subject& subject = *run.input.catalogue.subject(f.name);
      for (const Speed& speed : f.speeds) {
        Cell stack{f.name, speed.backend, "stack", {}};
        if (round == 0 && speed.depth > 0) run.ok(stack, {{"depth", speed.depth}});
        for (const Workload& workload : SampleRun().input.catalogue.workloadsOf("dense")) {
          writer.train(subject, speed, workload);
          writer.infer(subject, speed, workload);
        }
      }
    }
  }
  for (const Framework& f : frameworks()) {
    run.facts(f.name, f.ways[0].name, factsOf(f.name));
    run.ok({f.name, f.ways[0].name, "empty", {}}, {{"steady", 0.0004}, {"steady", 0.0005}});
    for (const Workload& workload : SampleRun().input.catalogue.workloadsOf("dense")) {
      Cell cell{f.name, f.ways[0].name, "save", workload};
      if (f.bytes > 0)
        run.ok(cell, {{"file", f.bytes * float32Bytes(networks(), workload, true) / 4}});
    }
  }
  run.ended({"jax-js", "webgpu", "infer", {8, 256}}, Outcome::kCrash, "the page was gone");
  run.ended({"mind", "cpu", "infer", {8, 256}}, Outcome::kWrong, "");
  run.input.trials.back().result.correctness = {"output", 0.24, 1e-3};
  return run.input;
}

}  // namespace fjord::study
