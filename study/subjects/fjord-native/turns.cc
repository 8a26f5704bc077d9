#include <cstdio>
#include <iostream>
#include <string>

#include "framework.h"

namespace fjord {

namespace {

/// A network that is trained in slices.
class Turns {
 public:
  /// Makes it, and what has to be known before it is timed: losses, and the first step's time.
  static Result<std::unique_ptr<Turns>> begin(const Json& network, const std::string& folder) {
    auto out = std::make_unique<Turns>();
    FJORD_TRY(std::vector<float> weights, readWeights(folder));
    FJORD_TRY(Data data, Data::read(folder, network));
    Training training(network);
    FJORD_TRY(out->batches_, data.batches(kBatches, training.batch));
    FJORD_TRY(std::vector<Examples> asked,
              data.batches(training.comparedSteps, training.comparedBatch));
    FJORD_TRY(out->model_, out->framework_.build(network, weights));
    double start = now();
    FJORD_CHECK(out->step());
    out->first_ = (now() - start) / 1e3;
    FJORD_TRY(out->model_, out->framework_.build(training.plain, weights));
    for (const Examples& batch : asked) {
      FJORD_TRY(double loss, Framework::train(*out->model_, batch));
      out->losses_.push_back(loss);
    }
    FJORD_TRY(out->model_, out->framework_.build(network, weights));
    return out;
  }

  Json about() const {
    return {{"about", framework_.engine()}, {"losses", losses_}, {"first", first_}};
  }

  /// Milliseconds a step, of as many as take so long; one comes before, for its caches.
  Result<double> slice(double ms) {
    FJORD_CHECK(step());
    double start = now();
    for (int steps = 1;; ++steps) {
      FJORD_CHECK(step());
      if (now() - start >= ms) return (now() - start) / steps;
    }
  }

 private:
  Result<double> step() { return Framework::train(*model_, batches_[next_++ % kBatches]); }

  Framework framework_{"threads"};
  std::unique_ptr<Model> model_;
  std::vector<Examples> batches_;
  std::vector<double> losses_;
  double first_ = 0;  // seconds
  size_t next_ = 0;
};

Result<Json> answer(std::unique_ptr<Turns>& turns, const std::string& line) {
  FJORD_TRY(Json request, parseJson(line));
  if (request.contains("create")) {
    turns.reset();
    FJORD_TRY(turns, Turns::begin(request["create"], stringOr(request, "data", ".")));
    return turns->about();
  }
  if (!turns) return fail("there is no network yet");
  FJORD_TRY(double ms, turns->slice(numberOr(request, "slice", 100)));
  return Json{{"ms", ms}};
}

}  // namespace

int takeTurns() {
  std::unique_ptr<Turns> turns;
  for (std::string line; std::getline(std::cin, line);) {
    Result<Json> told = answer(turns, line);
    // What has gone wrong ends the program: the driver shows its last words.
    if (!told) {
      std::fprintf(stderr, "%s\n", told.error().message.c_str());
      return 1;
    }
    say(*told);
  }
  return 0;
}

}  // namespace fjord
