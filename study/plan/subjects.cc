#include "plan/subjects.h"

#include <algorithm>
#include <ranges>
#include <regex>

#include "base/fields.h"
#include "plan/folders.h"

namespace fjord::study {

namespace {

namespace fs = std::filesystem;
using namespace arguments;

// ---- tasks

constexpr Argument kTask[] = {
    text("title").isNeeded(), flag("sized", true),  flag("perBackend", true),
    flag("perSubject", true), flag("first", false), texts("phases"),
    text("workload"),
};

Result<Task> readTask(const fs::path& folder, const std::vector<Family>& families) {
  fs::path path = folder / "task.json";
  FJORD_TRY(Json json, readJson(path));
  Result<Fields> fields = Fields::of("", kTask, json);
  if (!fields) return fail(path.string(), ": ", fields.error().message);
  Task task{.name = folder.filename().string(),
            .title = fields->text("title"),
            .sized = fields->flag("sized"),
            .perBackend = fields->flag("perBackend"),
            .perSubject = fields->flag("perSubject"),
            .first = fields->flag("first"),
            .phases = fields->texts("phases")};
  if (std::string name = fields->text("workload"); !name.empty()) {
    Result<std::vector<Workload>> workloads = parseWorkloads(families, name);
    if (!workloads) return fail(path.string(), ": ", workloads.error().message);
    if (task.sized || workloads->size() > 1)
      return fail(path.string(), ": workload is one network, of a task that is not \"sized\"");
    task.workload = workloads->front();
  }
  for (size_t i = 0; i < task.phases.size(); ++i) {
    if (std::ranges::none_of(kPhases, [&](const Phase& p) { return task.phases[i] == p.name; }))
      return fail(path.string(), ": phases/", i, " is \"", task.phases[i], "\", which is no phase");
  }
  return task;
}

// ---- subjects

/// Files of its packages ("PACKAGE/path"), or of the server's own ("/fjord/..").
Status checkFiles(const std::vector<std::string>& files, const Subject& subject) {
  for (size_t i = 0; i < files.size(); ++i) {
    auto owns = [&](const std::string& package) { return files[i].starts_with(package + "/"); };
    if (!files[i].starts_with("/") && std::ranges::none_of(subject.packages, owns))
      return fail("files/", i, " is \"", files[i], "\", of none of the packages");
  }
  return {};
}

constexpr Argument kBackend[] = {
    text("title").isNeeded(),
    flag("gpu", false),
    texts("files"),
    textsByName("unsupported"),
};

Status readBackends(const Json& json, Subject& subject) {
  if (!json.is_object()) return fail("backends must be an object {..}, got ", json.dump());
  if (json.empty()) return fail("backends has none");
  for (const auto& [name, value] : json.items()) {
    std::string place = cat("backends/", name, "/");
    if (!isFolderName(name))
      return fail("backends/", name, " is not named in lower-case letters, digits, - _ .");
    FJORD_TRY(Fields fields, Fields::of("", kBackend, value, place));
    Backend backend{.name = name,
                    .title = fields.text("title"),
                    .gpu = fields.flag("gpu"),
                    .files = fields.texts("files"),
                    .unsupported = fields.textsByName("unsupported")};
    if (Status status = checkFiles(backend.files, subject); !status)
      return fail(place, status.error().message);
    subject.backends.push_back(std::move(backend));
  }
  return {};
}

constexpr Argument kStyle[] = {
    choice("hidden", "relu|sigmoid|tanh"),
    choice("output", "softmax|sigmoid|relu|tanh"),
    flag("bias", true),
};

/// What npm installs for it is one version, so that two runs measure the same.
Status checkPackages(const fs::path& folder, const Subject& subject) {
  fs::path path = folder / "package.json";
  if (!fs::exists(path)) return {};
  FJORD_TRY(Json json, readJson(path));
  const Json& versions = member(json, "dependencies");
  static const std::regex kOneVersion(R"(\d+\.\d+\.\d+(-[\w.-]+)?)");
  for (const std::string& package : subject.packages) {
    std::string version = stringOr(versions, package.c_str(), "");
    if (!std::regex_match(version, kOneVersion))
      return fail(path.string(), ": dependencies/", package, " is to be one version, such as 1.2.3",
                  version.empty() ? "; there is none" : ", not " + version);
  }
  return {};
}

constexpr Argument kSubject[] = {
    text("title").isNeeded(),
    text("note"),
    flag("native", false),
    flag("paper", false),
    texts("packages"),
    choice("training", "batch|online|full|none"),
    texts("files"),
    flag("module", false),
    texts("command"),
    text("models"),
    json("network"),
    json("backends").isNeeded(),
    textsByName("unsupported"),
};

Status readSubject(const Json& json, Subject& subject) {
  FJORD_TRY(Fields fields, Fields::of("", kSubject, json));
  subject.title = fields.text("title");
  subject.note = fields.text("note");
  subject.native = fields.flag("native");
  subject.paper = fields.flag("paper");
  subject.training = fields.choice("training");
  subject.packages = fields.texts("packages");
  subject.files = fields.texts("files");
  subject.module = fields.flag("module");
  subject.command = fields.texts("command");
  subject.models = fields.text("models");
  subject.unsupported = fields.textsByName("unsupported");
  FJORD_TRY(Fields style, Fields::of("", kStyle, member(json, "network"), "network/"));
  subject.style.hidden = style.choice("hidden");
  subject.style.output = style.choice("output");
  subject.style.bias = style.flag("bias");
  FJORD_CHECK(readBackends(member(json, "backends"), subject));
  FJORD_CHECK(checkFiles(subject.files, subject));
  if (subject.native == subject.command.empty())
    return fail("command ", subject.native ? "is missing: a native subject is a program"
                                           : "is only for a subject that is \"native\"");
  return {};
}

Result<Subject> readSubject(const fs::path& folder) {
  fs::path path = folder / "subject.json";
  FJORD_TRY(Json json, readJson(path));
  Subject subject;
  subject.name = folder.filename().string();
  if (Status status = readSubject(json, subject); !status)
    return fail(path.string(), ": ", status.error().message);
  FJORD_CHECK(checkPackages(folder, subject));
  return subject;
}

// ---- the catalogue

/// What cannot be is a task, a type of layer, or one of them with the other: "train conv2d".
Status checkUnsupported(const Catalogue& catalogue, const std::string& where,
                        const std::map<std::string, std::string>& unsupported) {
  for (const auto& [what, reason] : unsupported) {
    size_t space = std::min(what.find(' '), what.size());
    std::string first = what.substr(0, space), last = what.substr(std::min(space + 1, what.size()));
    bool known = last.empty() ? catalogue.task(first) || isLayerType(first)
                              : catalogue.task(first) && isLayerType(last);
    if (!known)
      return fail(where, "/", what, ": there is no such task or layer; there are the tasks ",
                  namesOf(catalogue.tasks), " and the layers ", layerTypes(),
                  "; \"train conv2d\" is one with the other");
  }
  return {};
}

/// What a subject says of tasks and of other subjects.
Status checkReferences(const fs::path& subjects, const Catalogue& catalogue) {
  for (const Subject& subject : catalogue.subjects) {
    std::string file = (subjects / subject.name / "subject.json").string() + ": ";
    FJORD_CHECK(checkUnsupported(catalogue, file + "unsupported", subject.unsupported));
    for (const Backend& backend : subject.backends) {
      std::string where = cat(file, "backends/", backend.name, "/unsupported");
      FJORD_CHECK(checkUnsupported(catalogue, where, backend.unsupported));
    }
    if (!subject.models.empty() && !catalogue.subject(subject.models))
      return fail(file, "models is \"", subject.models, "\", which is no subject");
  }
  return {};
}

Json toJson(const Subject& s) {
  Json backends = Json::array();
  for (const Backend& b : s.backends) {
    backends.push_back({{"name", b.name},
                        {"title", b.title},
                        {"gpu", b.gpu},
                        {"files", b.files},
                        {"unsupported", b.unsupported}});
  }
  Json style = {{"hidden", s.style.hidden}, {"output", s.style.output}, {"bias", s.style.bias}};
  return {{"name", s.name},
          {"title", s.title},
          {"note", s.note},
          {"native", s.native},
          {"paper", s.paper},
          {"training", s.training},
          {"packages", s.packages},
          {"files", s.files},
          {"module", s.module},
          {"models", s.models},
          {"network", style},
          {"backends", backends},
          {"unsupported", s.unsupported}};
}

}  // namespace

std::string Subject::refuses(const std::string& backend, const std::string& task,
                             std::span<const Layer> layers) const {
  // What cannot be with this network, from the task alone to its layers.
  std::vector<std::string> asked = {task};
  for (const Layer& layer : layers) {
    asked.push_back(layer.type);
    asked.push_back(task + " " + layer.type);
  }
  const Backend* own = findNamed(backends, backend);
  for (const std::string& what : asked) {
    if (own && own->unsupported.contains(what)) return own->unsupported.at(what);
    if (unsupported.contains(what)) return unsupported.at(what);
  }
  if (native && task == "stack") return "it is a native program: the profiler is the browser's";
  return (task == "train" || task == "stack") && training == "none" ? "it only infers" : "";
}

const Subject* Catalogue::subject(const std::string& name) const {
  return findNamed(subjects, name);
}

const Task* Catalogue::task(const std::string& name) const { return findNamed(tasks, name); }

std::vector<Workload> Catalogue::workloadsOf(const std::string& family) const {
  const Family* known = findNamed(families, family);
  return known ? known->grid() : std::vector<Workload>();
}

Result<Network> Catalogue::network(const Cell& cell) const {
  const Subject* known = subject(cell.subject);
  if (!known) return fail("there is no subject \"", cell.subject, "\"");
  Workload workload = cell.workload;
  if (const Task* own = task(cell.task); own && !workload.depth) workload = own->workload;
  if (!workload.depth) return fail("the task ", cell.task, " has no network");
  return networkOf(families, workload, known->style);
}

std::string Catalogue::refusal(const Cell& cell) const {
  const Subject* known = subject(cell.subject);
  if (!known) return "";
  Result<Network> network = this->network(cell);
  if (!network && cell.workload.depth) return network.error().message;
  return known->refuses(
      cell.backend, cell.task,
      network ? std::span<const Layer>(network->layers) : std::span<const Layer>());
}

Result<Catalogue> readCatalogue(const std::string& study) {
  Catalogue catalogue;
  FJORD_TRY(catalogue.families, readFamilies(study));
  FJORD_TRY(auto tasks, foldersOf(fs::path(study) / "tasks"));
  for (const fs::path& folder : tasks) {
    FJORD_TRY(Task task, readTask(folder, catalogue.families));
    catalogue.tasks.push_back(std::move(task));
  }
  FJORD_TRY(auto subjects, foldersOf(fs::path(study) / "subjects"));
  for (const fs::path& folder : subjects) {
    FJORD_TRY(Subject subject, readSubject(folder));
    catalogue.subjects.push_back(std::move(subject));
  }
  FJORD_CHECK(checkReferences(fs::path(study) / "subjects", catalogue));
  return catalogue;
}

Json toJson(const Catalogue& catalogue) {
  Json subjects = Json::array(), tasks = Json::array(), workloads = Json::array();
  for (const Subject& subject : catalogue.subjects) subjects.push_back(toJson(subject));
  for (const Task& t : catalogue.tasks) {
    tasks.push_back({{"name", t.name},
                     {"title", t.title},
                     {"sized", t.sized},
                     {"perBackend", t.perBackend},
                     {"first", t.first},
                     {"phases", t.phases}});
  }
  for (const Family& family : catalogue.families) {
    Json sizes = Json::array();
    for (const Workload& workload : family.grid()) sizes.push_back(workload.size());
    workloads.push_back({{"name", family.name},
                         {"title", family.title},
                         {"depthIs", family.depthIs},
                         {"widthIs", family.widthIs},
                         {"sizes", sizes}});
  }
  return {{"subjects", subjects}, {"tasks", tasks}, {"workloads", workloads}};
}

}  // namespace fjord::study
