#include "plan/subjects.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ranges>
#include <regex>
#include <sstream>

#include "plan/plan.h"

namespace fjord::study {

namespace {

namespace fs = std::filesystem;

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

/// Reads the members of one object of a file. The first thing that is wrong in the file is kept in
/// `wrong`; what comes after it does not matter.
class Fields {
 public:
  Fields(const Json& object, std::string at, std::string& wrong)
      : object_(object), at_(std::move(at)), wrong_(wrong) {
    if (!object.is_object()) refuse("", cat("is to be an object, not ", object.dump()));
  }

  void refuse(const std::string& key, const std::string& why) {
    std::string place = at_ + (at_.empty() || key.empty() ? "" : "/") + key;
    if (wrong_.empty()) wrong_ = cat(place.empty() ? "the file" : place, " ", why);
  }

  /// A member, which may be missing: null.
  const Json& get(const char* key) {
    known_.emplace_back(key);
    return member(object_, key);
  }

  void read(const char* key, std::string& out) {
    const Json& value = get(key);
    if (value.is_string() && !stringOr(object_, key, "").empty()) {
      out = stringOr(object_, key, "");
    } else if (!value.is_null()) {
      refuse(key, cat("is to be a text, not ", value.dump()));
    }
  }

  void read(const char* key, bool& out) {
    const Json& value = get(key);
    out = boolOr(object_, key, out);
    if (!value.is_boolean() && !value.is_null())
      refuse(key, cat("is to be true or false, not ", value.dump()));
  }

  void read(const char* key, std::vector<std::string>& out) {
    const Json& value = get(key);
    if (!value.is_array() && !value.is_null())
      return refuse(key, cat("is to be a list of texts, not ", value.dump()));
    for (const Json& text : value) {
      const auto* content = text.get_ptr<const std::string*>();
      if (!content || content->empty())
        return refuse(cat(key, "/", out.size()), cat("is to be a text, not ", text.dump()));
      out.push_back(*content);
    }
  }

  void read(const char* key, std::map<std::string, std::string>& out) {
    const Json& value = get(key);
    if (value.is_null()) return;
    Fields texts(value, inside(key), wrong_);
    for (const auto& [name, text] : value.items()) texts.read(name.c_str(), out[name]);
  }

  void choose(const char* key, std::string& out, std::initializer_list<std::string_view> choices) {
    read(key, out);
    if (std::ranges::find(choices, out) == choices.end())
      refuse(key, cat("is \"", out, "\"; it is to be one of ", listOf(choices)));
  }

  void need(const char* key) {
    if (member(object_, key).is_null()) refuse(key, "is missing");
  }

  /// Once all is read: a name that nothing asked for is a mistake, or a name's.
  void end() {
    if (!object_.is_object()) return;
    for (const auto& [name, value] : object_.items()) {
      if (std::ranges::find(known_, name) == known_.end())
        refuse(name, cat("is not known; there are ", listOf(known_)));
    }
  }

  std::string inside(const std::string& key) const {
    return at_.empty() ? key : cat(at_, "/", key);
  }

 private:
  const Json& object_;
  std::string at_;
  std::string& wrong_;
  std::vector<std::string> known_;
};

// ---- tasks

Result<Task> readTask(const fs::path& folder) {
  fs::path path = folder / "task.json";
  FJORD_TRY(Json json, readJson(path));
  std::string wrong;
  Fields fields(json, "", wrong);
  Task task;
  task.name = folder.filename().string();
  fields.need("title");
  fields.read("title", task.title);
  fields.read("sized", task.sized);
  fields.read("perBackend", task.perBackend);
  fields.read("perSubject", task.perSubject);
  fields.read("first", task.first);
  fields.read("phases", task.phases);
  fields.end();
  for (size_t i = 0; i < task.phases.size(); ++i) {
    if (std::ranges::none_of(kPhases, [&](const Phase& p) { return task.phases[i] == p.name; }))
      fields.refuse(cat("phases/", i), cat("is \"", task.phases[i], "\", which is no phase"));
  }
  if (!wrong.empty()) return fail(path.string(), ": ", wrong);
  return task;
}

// ---- subjects

/// Files of its packages ("PACKAGE/path"), or of the server's own ("/fjord/..").
void checkFiles(Fields& fields, const std::vector<std::string>& files, const Subject& subject) {
  for (size_t i = 0; i < files.size(); ++i) {
    auto owns = [&](const std::string& package) { return files[i].starts_with(package + "/"); };
    if (!files[i].starts_with("/") && std::ranges::none_of(subject.packages, owns))
      fields.refuse(cat("files/", i), cat("is \"", files[i], "\", of none of the packages"));
  }
}

void readBackends(const Json& json, Subject& subject, std::string& wrong) {
  Fields all(json, "backends", wrong);
  if (!json.is_object()) return;
  if (json.empty()) all.refuse("", "has none");
  for (const auto& [name, value] : json.items()) {
    Backend backend;
    backend.name = name;
    Fields fields(value, all.inside(name), wrong);
    if (!isName(name)) fields.refuse("", "is not named in lower-case letters, digits, - _ .");
    fields.need("title");
    fields.read("title", backend.title);
    fields.read("gpu", backend.gpu);
    fields.read("files", backend.files);
    fields.read("unsupported", backend.unsupported);
    fields.end();
    checkFiles(fields, backend.files, subject);
    subject.backends.push_back(std::move(backend));
  }
}

void readNetwork(const Json& json, Network& network, std::string& wrong) {
  if (json.is_null()) return;
  Fields fields(json, "network", wrong);
  fields.choose("hidden", network.hidden, {"relu", "sigmoid", "tanh"});
  fields.choose("output", network.output, {"softmax", "sigmoid", "relu", "tanh"});
  fields.read("bias", network.bias);
  fields.end();
}

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

Result<Subject> readSubject(const fs::path& folder) {
  fs::path path = folder / "subject.json";
  FJORD_TRY(Json json, readJson(path));
  std::string wrong;
  Fields fields(json, "", wrong);
  Subject subject;
  subject.name = folder.filename().string();
  fields.need("title");
  fields.read("title", subject.title);
  fields.read("note", subject.note);
  fields.read("native", subject.native);
  fields.read("paper", subject.paper);
  fields.choose("training", subject.training, {"batch", "online", "full", "none"});
  fields.read("packages", subject.packages);
  fields.read("files", subject.files);
  fields.read("module", subject.module);
  fields.read("command", subject.command);
  fields.read("models", subject.models);
  fields.read("unsupported", subject.unsupported);
  readNetwork(fields.get("network"), subject.network, wrong);
  fields.need("backends");
  if (const Json& backends = fields.get("backends"); !backends.is_null())
    readBackends(backends, subject, wrong);
  fields.end();
  checkFiles(fields, subject.files, subject);
  if (subject.native == subject.command.empty())
    fields.refuse("command", subject.native ? "is missing: a native subject is a program"
                                            : "is only for a subject that is \"native\"");
  if (!wrong.empty()) return fail(path.string(), ": ", wrong);
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
