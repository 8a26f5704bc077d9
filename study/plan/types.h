// What the lab measures, in the words that the pages, the store and the report share.
//
//   subject   a framework: one folder of subjects/
//   backend   one way in which it computes: "cpu", "wasm", "webgl", ..
//   task      what it is asked to do: one folder of tasks/
//   workload  the network of a cell: of a family, one folder of workloads/, by depth and width
//   cell      subject x backend x task x workload: what a table has a number for
//   trial     one fresh page (or process) for a cell
//   sample    one number that a trial measured, in a phase
//   run       all trials from one call of `fjord-study run`
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"

namespace fjord::study {

/// The network of a cell: `depth` layers of `width` units or kernels, as its family counts them; 0x0
/// for a task without a network.
struct Workload {
  int depth = 0;
  int width = 0;
  std::string family = "dense";  // a folder of workloads/
  auto operator<=>(const Workload&) const = default;
  /// "2x128"; "" for 0x0.
  std::string size() const {
    return depth ? std::to_string(depth) + "x" + std::to_string(width) : std::string();
  }
  /// "dense/2x128"; "" for 0x0.
  std::string name() const { return depth ? family + "/" + size() : std::string(); }
};

struct Cell {
  std::string subject;  // "tfjs"
  std::string backend;  // "webgl"
  std::string task;     // "train"
  Workload workload;
  auto operator<=>(const Cell&) const = default;
};

/// How a trial ended.
enum class Outcome {
  kOk,           // right answers, samples
  kWrong,        // answers that are not the expected ones: no time is told
  kUnsupported,  // the subject says that it cannot do this, and why
  kTimeout,      // no end within the time limit
  kCrash,        // the page or the process was gone
  kError,        // it said what went wrong
};
inline constexpr const char* kOutcomeNames[] = {"ok",      "wrong", "unsupported",
                                                "timeout", "crash", "error"};

/// What a sample can be of, and its unit; docs/study.md says what each is.
struct Phase {
  const char* name;
  const char* unit;
};
inline constexpr Phase kPhases[] = {
    {"download", "ms"},  {"parse", "ms"},    {"start", "ms"},        {"build", "ms"},
    {"load", "ms"},      {"first", "ms"},    {"steady", "ms"},       {"file", "bytes"},
    {"memory", "bytes"}, {"heap", "bytes"},  {"cpu", "percent"},     {"frame", "ms"},
    {"longtask", "ms"},  {"depth", "calls"}, {"machine", "percent"},
};

/// One number, of a phase and in its unit.
struct Sample {
  std::string phase;
  std::string unit;
  double value = 0;
};

/// What a trial showed that its answers are right.
struct Correctness {
  std::string kind;       // "output", "loss", "falling", or "" where there is nothing to compare
  double difference = 0;  // the largest, relative; for "falling" last loss over first
  double tolerance = 0;
};

/// What a page or a native program reports at its end; `about` tells what ran.
struct TrialResult {
  Outcome outcome = Outcome::kError;
  std::string message;  // the reason, unless kOk
  std::string version;  // of the package
  std::string engine;   // what it says of itself: "wasm simd, 2 threads"
  Correctness correctness;
  std::vector<Sample> samples;
  Json facts;  // what the probe reads from a package; null otherwise
};
/// The result of a trial that has no numbers.
inline TrialResult failed(Outcome outcome, const std::string& message) {
  return {.outcome = outcome, .message = message};
}

}  // namespace fjord::study
