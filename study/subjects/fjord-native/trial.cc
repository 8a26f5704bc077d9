// Fjord, natively: a program of docs/study.md. It reads a trial on its standard input and writes
// what came of it on its standard output, as native.py does for Python's packages and the harness
// for pages. Only Fjord's public C++ API is used.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string_view>

#include "framework.h"
#include "io/model_file.h"

namespace fjord {
namespace {

// Of losses relative, of outputs to the largest of the example: as in the tasks of pages.
constexpr double kTolerance = 1e-3;
constexpr double kSlice = 5;  // milliseconds, at least
constexpr int kFalls = 20;    // steps on one batch within which its loss has fallen

Result<std::vector<double>> numbersOf(const Json& list) {
  std::vector<double> numbers;
  for (const Json& number : list) {
    if (!number.is_number()) return fail("a number is expected, not ", number.dump());
    numbers.push_back(number.get<double>());
  }
  return numbers;
}

// ---- the trial

class Trial {
 public:
  explicit Trial(const Json& told)
      : trial(member(told, "trial")),
        network(member(told, "network")),
        folder(stringOr(told, "data", ".")) {}

  Json result(const Status& status) const {
    const char* outcome = status ? "ok" : wrong_ ? "wrong" : "error";
    std::string message = status ? "" : status.error().message.substr(0, 2000);
    return {
        {"outcome", outcome}, {"message", message}, {"version", FJORD_VERSION},
        {"engine", engine_},  {"check", check_},    {"samples", status ? samples_ : Json::array()},
        {"facts", facts}};
  }

  void sample(const char* phase, double value, const char* unit = "ms") {
    samples_.push_back({{"phase", phase}, {"unit", unit}, {"value", value}});
  }

  /// What a call gives; keeps how long it takes.
  template <class F>
  auto timed(const char* phase, const F& call) {
    double start = now();
    auto value = call();
    last_ = now() - start;
    if (phase) sample(phase, last_);
    return value;
  }

  std::unique_ptr<Framework> open() {
    std::string backend = stringOr(trial, "backend", "");
    auto framework = timed("start", [&] { return std::make_unique<Framework>(backend); });
    engine_ = framework->engine();
    return framework;
  }

  Result<Json> reference(const char* name) const {
    FJORD_TRY(std::string text, readFile(cat(folder, "/", name)));
    return parseJson(text);
  }

  /// Only right answers are timed: numbers of one step or example against the reference's.
  Status compare(const char* kind, const std::string& what, const std::vector<double>& found,
                 const std::vector<double>& expected) {
    double difference = found.size() == expected.size() ? 0 : DBL_MAX, largest = 0;
    for (double value : expected) largest = std::max(largest, std::abs(value));
    for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
      double own = std::abs(found[i] - expected[i]) / largest;
      // What is not a number is as wrong as can be, and JSON has no word for it.
      difference = std::max(difference, std::isfinite(own) ? own : DBL_MAX);
    }
    largest_ = std::max(largest_, difference);
    check_ = {{"kind", kind}, {"difference", largest_}, {"tolerance", kTolerance}};
    wrong_ = difference > kTolerance;
    if (!wrong_) return {};
    return fail(what, " gives ", Json(found).dump(), "; the reference gives ",
                Json(expected).dump());
  }

  /// An optimizer that the reference does not have lowers the loss of one batch soon.
  template <class F>
  Status falls(F step, double first, double loss) {
    for (int steps = 2; steps < kFalls && !(loss < first); ++steps) {
      FJORD_TRY(loss, step());
    }
    if (loss < first) return {};
    wrong_ = true;
    double ratio = loss / first;
    check_ = {{"kind", "falling"},
              {"difference", std::isfinite(ratio) ? ratio : DBL_MAX},
              {"tolerance", 1}};
    return fail("trained on the same examples again and again, its loss goes from ", first, " to ",
                loss);
  }

  /// Calls again and again, as harness/measure.js does it. A call of which the last one took longer
  /// than the budget is not repeated.
  template <class F>
  Status steady(F call) {
    double budget = numberOr(trial, "budget", 1000);
    int most = intOr(trial, "samples", 100);
    say({{"phase", "steady"}});
    if (last_ > budget) {
      sample("steady", last_);
      return {};
    }
    double slice = std::max(kSlice, budget / 2 / most);
    double begin = now();
    int64_t calls = 1, taken = 0;
    while (taken == 0 || now() - begin < budget) {
      double start = now();
      for (int64_t i = 0; i < calls; ++i) FJORD_CHECK(call());
      double ms = now() - start;
      if (ms < slice) {
        calls *= 2;
      } else if (start - begin >= budget / 2) {
        sample("steady", ms / static_cast<double>(calls));
        ++taken;
      }
    }
    return {};
  }

  bool withinBudget() const { return last_ <= numberOr(trial, "budget", 1000); }
  void forgetSamples() { samples_ = Json::array(); }

  const Json &trial, &network;
  std::string folder;
  Json facts;

 private:
  double last_ = 0;  // ms, what was timed last
  double largest_ = 0;
  bool wrong_ = false;
  std::string engine_;
  Json samples_ = Json::array();
  Json check_ = {{"kind", ""}, {"difference", 0}, {"tolerance", 0}};
};

// ---- tasks

Status train(Trial& trial) {
  FJORD_TRY(std::vector<float> weights, readWeights(trial.folder));
  FJORD_TRY(Data data, Data::read(trial.folder, trial.network));
  FJORD_TRY(Json reference, trial.reference("losses.json"));
  FJORD_TRY(std::vector<double> expected, numbersOf(reference));
  Training training(trial.network);
  // Steps of a network of their own are compared, where the reference would take long or has another
  // optimizer.
  bool isSame = training.isSame;
  if (expected.size() < training.comparedSteps)
    return fail("there are too few losses in ", trial.folder);
  FJORD_TRY(std::vector<Examples> batches, data.batches(kBatches, training.batch));
  FJORD_TRY(std::vector<Examples> asked,
            data.batches(training.comparedSteps, training.comparedBatch));
  auto framework = trial.open();
  auto build = [&] { return framework->build(trial.network, weights); };
  auto plain = [&] { return framework->build(training.plain, weights); };
  FJORD_TRY(std::unique_ptr<Model> model, trial.timed("build", build));
  auto step = [&](const Examples& batch) { return Framework::train(*model, batch); };
  FJORD_TRY(double first, trial.timed("first", [&] { return step(batches[0]); }));
  if (!isSame) {
    FJORD_TRY(model, plain());
  }
  for (size_t i = 0; i < training.comparedSteps; ++i) {
    double loss = first;
    if (i || !isSame) {
      FJORD_TRY(loss, trial.timed(nullptr, [&] { return step(asked[i]); }));
    }
    FJORD_CHECK(trial.compare("loss", cat("step ", i), {loss}, {expected[i]}));
  }
  if (!isSame || trial.withinBudget()) {
    FJORD_TRY(model, build());
    // A plan is made for each new network.
    auto again = [&] { return step(batches[0]); };
    FJORD_TRY(double before, again());
    double loss = before;
    if (!isSame) {
      // No step with this batch has a time yet.
      FJORD_TRY(loss, trial.timed(nullptr, again));
    }
    if (!training.hasReference && trial.withinBudget())
      FJORD_CHECK(trial.falls(again, before, loss));
  }
  return trial.steady([&, i = size_t{0}]() mutable { return step(batches[++i % kBatches]); });
}

Status infer(Trial& trial) {
  FJORD_TRY(Data data, Data::read(trial.folder, trial.network));
  FJORD_TRY(Json expected, trial.reference("outputs.json"));
  size_t count = Training(trial.network).outputs;
  if (expected.size() < count || data.count() < count)
    return fail("there are too few outputs or examples in ", trial.folder);
  auto framework = trial.open();
  std::string path = trial.folder + "/files/model.safetensors";
  auto load = [&] { return framework->load(path); };
  Result<std::unique_ptr<Model>> model = trial.timed("load", load);
  if (!model)
    return fail(model.error().message, " (the network's files come from the task \"save\")");
  auto inference = [&](size_t example) {
    return Framework::infer(**model, data.shapeOf(1), data.inputOf(example % count));
  };
  for (size_t i = 0; i < count; ++i) {
    FJORD_TRY(std::vector<double> found,
              trial.timed(i ? nullptr : "first", [&] { return inference(i); }));
    FJORD_TRY(std::vector<double> wanted, numbersOf(expected[i]));
    FJORD_CHECK(trial.compare("output", cat("example ", i), found, wanted));
  }
  return trial.steady([&, example = size_t{0}]() mutable { return inference(++example); });
}

Status save(Trial& trial) {
  FJORD_TRY(std::vector<float> weights, readWeights(trial.folder));
  auto framework = trial.open();
  FJORD_TRY(std::unique_ptr<Model> model, framework->build(trial.network, weights));
  FJORD_TRY(std::string bytes, saveModel(*model));
  std::string path = trial.folder + "/files/model.safetensors";
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  file.close();
  if (!file) return fail(path, " cannot be written: is the disk full?");
  trial.forgetSamples();
  trial.sample("file", static_cast<double>(bytes.size()), "bytes");
  return {};
}

Status probe(Trial& trial) {
  auto framework = trial.open();
  trial.facts = Framework::facts();
  return {};
}

Status empty(Trial& trial) {
  return trial.steady([]() -> Status { return {}; });
}

Status perform(Trial& trial) {
  std::string task = stringOr(trial.trial, "task", "");
  if (task == "train") return train(trial);
  if (task == "infer") return infer(trial);
  if (task == "save") return save(trial);
  if (task == "probe") return probe(trial);
  if (task == "empty") return empty(trial);
  return fail("there is no task \"", task, "\"; there are empty, infer, probe, save, train");
}

}  // namespace
}  // namespace fjord

int main(int argc, char** argv) {
  using namespace fjord;
  if (argc == 2 && std::string_view(argv[1]) == "talk") return takeTurns();
  Result<Json> told = parseJson(std::string(std::istreambuf_iterator<char>(std::cin), {}));
  if (!told) {
    std::fprintf(stderr, "the trial is %s\n", told.error().message.c_str());
    return 1;
  }
  Trial trial(*told);
  say(trial.result(perform(trial)));
  return 0;
}
