// The subjects, tasks and workloads, as their folders describe them: subjects/NAME/subject.json,
// tasks/NAME/task.json, workloads/NAME/workload.json. docs/study.md says what stands in them. A file with a mistake is an error
// that names the file and the place.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/types.h"
#include "plan/workload.h"

namespace fjord::study {

struct Backend {
  std::string name;   // "wasm"
  std::string title;  // "WebAssembly"
  bool gpu = false;   // needs an adapter
  std::vector<std::string>
      files;  // of its packages, which it loads beside the subject's: for the size of the library
  // Task, type of layer, or "train conv2d", to reason.
  std::map<std::string, std::string> unsupported;
};

struct Subject {
  std::string name;     // the folder
  std::string title;    // "TensorFlow.js"
  std::string note;     // a label that every table carries, or ""
  bool native = false;  // a program, not a page
  bool paper = false;   // one of the paper's seven
  std::string training =
      "batch";  // "batch": as trainingLosses; "online": a pattern at a time; "full"; "none"
  std::vector<std::string> packages;  // of npm or PyPI; the first is the one whose version is told
  std::vector<std::string> files;     // "PACKAGE/path" or "/path" of the server, in loading order
  bool module = false;                // `files` ending in .js are modules, too
  std::vector<std::string> command;   // of a native subject: {python} is its virtual environment's
  std::string models;                 // the subject whose model files it reads; its own if ""
  Style style;                        // of its networks
  std::vector<Backend> backends;
  std::map<std::string, std::string> unsupported;  // the same, on all backends

  /// Why it cannot do a task, with a network of these layers, or "".
  std::string refuses(const std::string& backend, const std::string& task,
                      std::span<const Layer> layers = {}) const;
};

struct Task {
  std::string name;        // "train"
  std::string title;       // "Training"
  bool sized = true;       // for each workload, or once
  bool perBackend = true;  // or once for a subject, on its first backend
  bool perSubject = true;  // or once for all: it is about the harness, and any page will do
  bool first = false;      // before all others: others need what it leaves
  std::vector<std::string> phases;
  Workload workload;  // of a task that is about one network and has no others
};

struct Catalogue {
  std::vector<Subject> subjects;  // sorted by name
  std::vector<Task> tasks;
  std::vector<Family> families;  // sorted by name
  const Subject* subject(const std::string& name) const;
  const Task* task(const std::string& name) const;
  /// The grid of a family; none where there is no such family.
  std::vector<Workload> workloadsOf(const std::string& family) const;
  /// The network of a cell, or the one of its task, in its subject's style.
  Result<Network> network(const Cell& cell) const;
  /// Why a cell cannot be, or "".
  std::string refusal(const Cell& cell) const;
};

/// Reads `study` (the folder with subjects/, tasks/ and workloads/).
Result<Catalogue> readCatalogue(const std::string& study);
/// As the API tells it to pages (GET /api/subjects).
Json toJson(const Catalogue& catalogue);

}  // namespace fjord::study
