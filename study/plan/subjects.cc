#include "plan/subjects.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ranges>
#include <regex>
#include <sstream>

#include "base/fields.h"
#include "plan/plan.h"

namespace fjord::study {

namespace {

namespace fs = std::filesystem;
using namespace arguments;

// ---- files of JSON

/// Where a text stops being JSON.
struct Offence : nlohmann::detail::json_sax_acceptor<Json> {
  size_t at = 0;
  // The library's name.
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) {
    at = position;
    return false;
  }
};

Result<Json> readJson(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(path.string(), ": cannot be read");
  std::ostringstream text;
  text << file.rdbuf();
  std::string content = text.str();
  if (auto json = parseJson(content)) return json;
  Offence offence;
  Json::sax_parse(content, &offence);
  auto end = content.begin() + static_cast<ptrdiff_t>(std::min(offence.at, content.size()));
  return fail(path.string(), ": not valid JSON, line ", 1 + std::count(content.begin(), end, '\n'));
}

bool isName(std::string_view text) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  return !text.empty() && text[0] != '.' && std::ranges::all_of(text, allowed);
}

std::string listOf(const auto& names) {
  std::string out;
  for (const auto& name : names) out += cat(out.empty() ? "" : ", ", name);
  return out;
}

// ---- tasks

constexpr Argument kTask[] = {
    text("title").isNeeded(), flag("sized", true),  flag("perBackend", true),
    flag("perSubject", true), flag("first", false), texts("phases"),
};

Result<Task> readTask(const fs::path& folder) {
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
    if (!isName(name))
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

constexpr Argument kNetwork[] = {
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
  FJORD_TRY(Fields network, Fields::of("", kNetwork, member(json, "network"), "network/"));
  subject.network.hidden = network.choice("hidden");
  subject.network.output = network.choice("output");
  subject.network.bias = network.flag("bias");
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

/// The folders of a folder, sorted; those of tools (".cache", "__pycache__") are none of ours.
Result<std::vector<fs::path>> foldersOf(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> out;
  fs::directory_iterator entries(folder, error);
  if (error)
    return fail(folder.string(), ": ", error.message(),
                "; it is a folder of study/ in Fjord's source");
  for (const fs::directory_entry& entry : entries) {
    std::string name = entry.path().filename().string();
    if (!entry.is_directory(error) || name.starts_with(".") || name.starts_with("_")) continue;
    if (!isName(name))
      return fail(entry.path().string(),
                  ": its name is to be of lower-case letters, digits, - _ .");
    out.push_back(entry.path());
  }
  std::ranges::sort(out);
  return out;
}

Status checkTasks(const Catalogue& catalogue, const std::string& where,
                  const std::map<std::string, std::string>& unsupported) {
  for (const auto& [task, reason] : unsupported) {
    if (!catalogue.task(task)) {
      return fail(where, "/", task, ": there is no such task; there are ",
                  listOf(catalogue.tasks | std::views::transform(&Task::name)));
    }
  }
  return {};
}

/// What a subject says of tasks and of other subjects.
Status checkReferences(const fs::path& subjects, const Catalogue& catalogue) {
  for (const Subject& subject : catalogue.subjects) {
    std::string file = (subjects / subject.name / "subject.json").string() + ": ";
    FJORD_CHECK(checkTasks(catalogue, file + "unsupported", subject.unsupported));
    for (const Backend& backend : subject.backends) {
      std::string where = cat(file, "backends/", backend.name, "/unsupported");
      FJORD_CHECK(checkTasks(catalogue, where, backend.unsupported));
    }
    if (!subject.models.empty() && !catalogue.subject(subject.models))
      return fail(file, "models is \"", subject.models, "\", which is no subject");
  }
  return {};
}

const auto* findNamed(const auto& list, const std::string& name) {
  auto found = std::ranges::find(list, name, [](const auto& entry) { return entry.name; });
  return found == list.end() ? nullptr : &*found;
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
  Json network = {
      {"hidden", s.network.hidden}, {"output", s.network.output}, {"bias", s.network.bias}};
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
          {"network", network},
          {"backends", backends},
          {"unsupported", s.unsupported}};
}

}  // namespace

std::string Subject::refuses(const std::string& backend, const std::string& task) const {
  if (const Backend* b = findNamed(backends, backend)) {
    if (auto found = b->unsupported.find(task); found != b->unsupported.end()) return found->second;
  }
  if (auto found = unsupported.find(task); found != unsupported.end()) return found->second;
  if (native && task == "stack") return "it is a native program: the profiler is the browser's";
  return (task == "train" || task == "stack") && training == "none" ? "it only infers" : "";
}

const Subject* Catalogue::subject(const std::string& name) const {
  return findNamed(subjects, name);
}

const Task* Catalogue::task(const std::string& name) const { return findNamed(tasks, name); }

Result<Catalogue> readCatalogue(const std::string& study) {
  Catalogue catalogue;
  FJORD_TRY(auto tasks, foldersOf(fs::path(study) / "tasks"));
  for (const fs::path& folder : tasks) {
    FJORD_TRY(Task task, readTask(folder));
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
  Json subjects = Json::array(), tasks = Json::array(), sizes = Json::array();
  for (const Subject& subject : catalogue.subjects) subjects.push_back(toJson(subject));
  for (const Task& t : catalogue.tasks) {
    tasks.push_back({{"name", t.name},
                     {"title", t.title},
                     {"sized", t.sized},
                     {"perBackend", t.perBackend},
                     {"first", t.first},
                     {"phases", t.phases}});
  }
  for (const Size& size : paperSizes()) sizes.push_back(size.name());
  return {{"subjects", subjects}, {"tasks", tasks}, {"sizes", sizes}};
}

}  // namespace fjord::study
