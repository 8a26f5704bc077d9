#include "serve/api.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace fjord::study {

namespace {

constexpr int kDeepest = 32;
constexpr int kMostMembers = 256;
constexpr size_t kMostSamples = 20'000;
constexpr size_t kLongestMessage = 2'000, kLongestText = 200;  // characters
constexpr const char* kJson = "application/json";

template <class... Ts>
std::unexpected<Fault> bad(std::string at, const Ts&... parts) {
  return std::unexpected(Fault{400, cat(parts...), std::move(at)});
}

/// A word that somebody sent, short enough to be shown to him.
std::string_view shown(std::string_view text) { return text.substr(0, 40); }

std::string inside(const std::string& at, std::string_view key) {
  return at.empty() ? std::string(key) : cat(at, "/", key);
}

}  // namespace

// ---- names

bool isName(std::string_view name) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= 100 && name[0] != '.' &&
         std::ranges::all_of(name, allowed);
}

// ---- JSON

namespace {

/// The end of a string that begins at `i`: at its closing quote, or after the text. nullopt where
/// it has a NUL.
std::optional<size_t> endOfString(std::string_view text, size_t i) {
  for (++i; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] != '\\') continue;
    if (text.substr(i, 6) == "\\u0000") return {};
    ++i;
  }
  return i;
}

/// Looks for what would cost more than its length, by the brackets alone. That it is JSON is the
/// reader's business.
Checked<void> survey(std::string_view text) {
  std::array<int, kDeepest + 1> members{};
  size_t depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') {
      std::optional<size_t> end = endOfString(text, i);
      if (!end) return bad("", "a text has a NUL character");
      i = *end;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepest) return bad("", "JSON of more than ", kDeepest, " levels");
      members[depth] = 0;
    } else if (c == ']' || c == '}') {
      depth -= depth > 0;
    } else if (c == ':' && ++members[depth] > kMostMembers) {
      return bad("", "an object of more than ", kMostMembers, " members");
    }
  }
  return {};
}

}  // namespace

Checked<Json> readJson(std::string_view text) {
  FJORD_CHECK(survey(text));
  Result<Json> json = parseJson(text);
  if (!json) return bad("", json.error().message);
  return std::move(*json);
}

namespace {

Checked<void> checkKeys(const Json& json, std::initializer_list<std::string_view> keys,
                        const std::string& at) {
  if (!json.is_object()) return bad(at, "is not an object");
  for (const auto& [key, value] : json.items()) {
    if (std::ranges::find(keys, key) != keys.end()) continue;
    return bad(inside(at, shown(key)), "there is no such member");
  }
  return {};
}

/// In characters of Unicode: JSON that was read is valid UTF-8, in which every byte but a
/// continuation begins one.
size_t lengthOf(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// A text; "" where it is left out.
Checked<std::string> textOf(const Json& json, const char* key, size_t longest,
                            const std::string& at = "") {
  const Json& value = member(json, key);
  if (!json.contains(key)) return "";
  if (!value.is_string()) return bad(inside(at, key), "is not a text");
  std::string text = value.get<std::string>();
  if (lengthOf(text) > longest)
    return bad(inside(at, key), "has more than ", longest, " characters");
  return text;
}

Checked<double> positiveOf(const Json& json, const char* key, const std::string& at) {
  const Json& value = member(json, key);
  // The reader has refused numbers above the largest double; there is no NaN in JSON.
  if (!value.is_number()) return bad(inside(at, key), "is not a number");
  double number = value.get<double>();
  if (!(number >= 0) || !std::isfinite(number))
    return bad(inside(at, key), "is not a finite number of at least 0");
  return number;
}

Checked<Outcome> outcomeOf(const Json& json) {
  FJORD_TRY(std::string name, textOf(json, "outcome", kLongestText));
  // The other two are seen from outside: a page that is gone says nothing.
  for (Outcome outcome : {Outcome::kOk, Outcome::kWrong, Outcome::kUnsupported, Outcome::kError})
    if (name == kOutcomeNames[static_cast<int>(outcome)]) return outcome;
  return bad("outcome", "is \"", shown(name), "\", not ok, wrong, unsupported or error");
}

Checked<Correctness> correctnessOf(const Json& result, Outcome outcome) {
  const Json& json = member(result, "check");
  if (json.is_null()) return Correctness{};
  const std::string at = "check";
  FJORD_CHECK(checkKeys(json, {"kind", "difference", "tolerance"}, at));
  Correctness out;
  FJORD_TRY(out.kind, textOf(json, "kind", kLongestText, at));
  constexpr std::string_view kKinds[] = {"output", "loss", "falling", ""};
  if (std::ranges::find(kKinds, out.kind) == std::end(kKinds))
    return bad("check/kind", "is \"", shown(out.kind), "\", not output, loss or falling");
  // JSON writes null for NaN and Infinity, which wrong answers can be.
  if (outcome != Outcome::kOk && member(json, "difference").is_null()) {
    out.difference = std::numeric_limits<double>::infinity();
  } else {
    FJORD_TRY(out.difference, positiveOf(json, "difference", at));
  }
  FJORD_TRY(out.tolerance, positiveOf(json, "tolerance", at));
  return out;
}

/// What was measured before an answer could be looked at, or is no time.
bool needsNoAnswer(std::string_view phase) {
  return phase == "download" || phase == "parse" || phase == "start" || phase == "file";
}

const Phase* findPhase(std::string_view name) {
  const Phase* found = std::ranges::find(kPhases, name, [](const Phase& p) { return p.name; });
  return found == std::end(kPhases) ? nullptr : found;
}

Checked<Sample> sampleOf(const Json& json, const std::string& at) {
  FJORD_CHECK(checkKeys(json, {"phase", "unit", "value"}, at));
  Sample out;
  FJORD_TRY(out.phase, textOf(json, "phase", kLongestText, at));
  const Phase* phase = findPhase(out.phase);
  if (!phase) return bad(inside(at, "phase"), "there is no phase \"", shown(out.phase), "\"");
  FJORD_TRY(out.unit, textOf(json, "unit", kLongestText, at));
  if (out.unit != phase->unit)
    return bad(inside(at, "unit"), "is \"", shown(out.unit), "\"; ", phase->name,
               " is measured in ", phase->unit);
  FJORD_TRY(out.value, positiveOf(json, "value", at));
  return out;
}

Checked<std::vector<Sample>> samplesOf(const Json& result, Outcome outcome) {
  const Json& json = member(result, "samples");
  std::vector<Sample> out;
  if (!result.contains("samples")) return out;
  if (!json.is_array()) return bad("samples", "is not a list");
  if (json.size() > kMostSamples) return bad("samples", "has more than ", kMostSamples);
  if (outcome == Outcome::kWrong && !json.empty())
    return bad("samples", "a wrong answer has no time: leave them out");
  out.reserve(json.size());
  for (const Json& sample : json) {
    std::string at = cat("samples/", out.size());
    FJORD_TRY(Sample one, sampleOf(sample, at));
    if (outcome != Outcome::kOk && !needsNoAnswer(one.phase))
      return bad(at, "only a right answer has a sample of ", one.phase);
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace

Checked<TrialResult> resultOf(const Json& json) {
  FJORD_CHECK(checkKeys(
      json, {"outcome", "message", "version", "engine", "check", "samples", "facts"}, ""));
  TrialResult out;
  FJORD_TRY(out.outcome, outcomeOf(json));
  FJORD_TRY(out.message, textOf(json, "message", kLongestMessage));
  FJORD_TRY(out.version, textOf(json, "version", kLongestText));
  FJORD_TRY(out.engine, textOf(json, "engine", kLongestText));
  FJORD_TRY(out.correctness, correctnessOf(json, out.outcome));
  FJORD_TRY(out.samples, samplesOf(json, out.outcome));
  out.facts = member(json, "facts");
  if (!out.facts.is_null() && !out.facts.is_object())
    return bad("facts", "is neither an object nor null");
  return out;
}

Checked<std::vector<Sample>> usageOf(const Json& json) {
  FJORD_CHECK(checkKeys(json, {"of", "samples"}, ""));
  FJORD_TRY(std::string of, textOf(json, "of", kLongestText));
  if (of != "machine" && of != "browser")
    return bad("of", "is \"", shown(of), "\", neither machine nor browser");
  FJORD_TRY(std::vector<Sample> samples, samplesOf(json, Outcome::kOk));
  std::vector<Sample> out;
  for (size_t i = 0; i < samples.size(); ++i) {
    Sample& sample = samples[i];
    if (sample.phase != "cpu" && sample.phase != "memory")
      return bad(cat("samples/", i, "/phase"), "an extension reads cpu and memory");
    // Other programs' memory is no one's sample, their time is told apart from the browser's.
    if (of == "machine" && sample.phase == "memory") continue;
    if (of == "machine") sample.phase = "machine";
    out.push_back(std::move(sample));
  }
  return out;
}

Checked<std::string> phaseOf(const Json& json) {
  FJORD_CHECK(checkKeys(json, {"phase"}, ""));
  FJORD_TRY(std::string name, textOf(json, "phase", kLongestText));
  if (!findPhase(name)) return bad("phase", "there is no phase \"", shown(name), "\"");
  return name;
}

Checked<Cell> cellOf(const Json& json) {
  FJORD_CHECK(checkKeys(json, {"subject", "backend", "task", "workload"}, ""));
  Cell cell;
  for (auto [key, part] : {std::pair{"subject", &cell.subject}, std::pair{"backend", &cell.backend},
                           std::pair{"task", &cell.task}}) {
    FJORD_TRY(*part, textOf(json, key, kLongestText));
    if (!isName(*part)) return bad(key, "is \"", shown(*part), "\", not a name");
  }
  FJORD_TRY(std::string name, textOf(json, "workload", kLongestText));
  std::optional<Workload> workload = name.empty() ? Workload{} : workloadOf(name);
  if (!workload) return bad("workload", "is \"", shown(name), "\", not such as dense/2x128");
  cell.workload = *workload;
  return cell;
}

// ---- routes

namespace {

/// A byte that is not UTF-8 is replaced: texts of requests are in messages.
std::string written(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Reply jsonReply(int status, const Json& json) { return {status, kJson, written(json), ""}; }

Reply notFound(const Request& request) {
  return faultReply({404, cat("there is no ", request.path.substr(0, 200)), ""});
}

/// The body of a request, read and checked.
template <class T>
Checked<T> readAs(Checked<T> (*check)(const Json&), const Request& request) {
  FJORD_TRY(Json json, readJson(request.body));
  return check(json);
}

Reply createTrial(const Desk& desk, const Request& request) {
  Checked<Cell> cell = readAs(cellOf, request);
  if (!cell) return faultReply(cell.error());
  Result<Json> trial = desk.create(*cell);
  return trial ? jsonReply(201, *trial) : faultReply({400, trial.error().message, ""});
}

/// `checked` is what a page tells of a trial, `told` hands it to the desk. An error there is a
/// conflict with what was told before: that there is such a trial, and that this is well formed,
/// has been seen.
template <class T>
Reply tell(const Checked<T>& checked, const std::function<Status(int64_t, const T&)>& told,
           int64_t id) {
  if (!checked) return faultReply(checked.error());
  Status status = told(id, *checked);
  return status ? Reply{.status = 204, .type = "", .body = "", .allow = ""}
                : faultReply({409, status.error().message, ""});
}

/// /api/trials/ID, and /phase, /usage or /result behind it.
Reply trialReply(const Desk& desk, const Request& request, std::string_view rest) {
  int64_t id = 0;
  const char* end = rest.data() + rest.size();
  auto [after, error] = std::from_chars(rest.data(), end, id);
  std::string_view what(after, end);
  // As a number is written, and no other way: one trial has one address.
  bool found = error == std::errc{} && id > 0 && rest.starts_with(std::to_string(id)) &&
               (what.empty() || what == "/phase" || what == "/usage" || what == "/result");
  if (!found) return notFound(request);
  const std::string allow = what.empty() ? "GET" : "POST";
  if (request.method != allow) return wrongMethod(allow);
  std::optional<Json> trial = desk.trial(id);
  if (!trial) return notFound(request);
  if (what.empty()) return jsonReply(200, *trial);
  if (what == "/phase") return tell(readAs(phaseOf, request), desk.phase, id);
  if (what == "/usage") return tell(readAs(usageOf, request), desk.usage, id);
  return tell(readAs(resultOf, request), desk.result, id);
}

Reply dataReply(const Desk& desk, const Request& request, std::string_view name) {
  if (request.method != "GET" && request.method != "HEAD") return wrongMethod("GET, HEAD");
  auto data = desk.data(std::string(name), request.query);
  return data ? Reply{200, std::move(data->second), std::move(data->first), ""} : notFound(request);
}

}  // namespace

Reply faultReply(const Fault& fault) {
  Json error = {{"status", fault.status}, {"message", fault.message}};
  if (!fault.at.empty()) error["at"] = fault.at;
  return jsonReply(fault.status, {{"error", std::move(error)}});
}

Reply wrongMethod(const std::string& allow) {
  Reply reply = faultReply({405, cat("this path has ", allow, " alone"), ""});
  reply.allow = allow;
  return reply;
}

Reply answer(const Desk& desk, const Request& request) {
  constexpr std::string_view kTrial = "/api/trials/", kData = "/data/";
  std::string_view path = request.path;
  if (path.starts_with(kData)) return dataReply(desk, request, path.substr(kData.size()));
  if (path.starts_with(kTrial)) return trialReply(desk, request, path.substr(kTrial.size()));
  // HEAD is left out: a look at the next trial takes it.
  if (path == "/api/subjects" || path == "/api/next") {
    if (request.method != "GET") return wrongMethod("GET");
    return jsonReply(200, path == "/api/next" ? desk.next() : desk.subjects());
  }
  if (path == "/api/trials")
    return request.method == "POST" ? createTrial(desk, request) : wrongMethod("POST");
  return notFound(request);
}

}  // namespace fjord::study
