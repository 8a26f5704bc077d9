#include "lab/desk.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "plan/plan.h"

namespace fjord::study {

namespace {

constexpr int kMostDigits = 10'000, kMostSteps = 10;

/// A query's number in [least, most], `fallback` where it is not given, nothing where it is
/// another.
std::optional<double> numberIn(const Query& query, const char* name, double fallback, double least,
                               double most) {
  auto found = query.find(name);
  if (found == query.end()) return fallback;
  const std::string& text = found->second;
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  bool good = error == std::errc() && end == text.data() + text.size();
  return good && number >= least && number <= most ? std::optional(number) : std::nullopt;
}

/// A whole number of a query.
std::optional<int> wholeIn(const Query& query, const char* name, int fallback, int least,
                           int most) {
  auto number = numberIn(query, name, fallback, least, most);
  if (!number || *number != std::floor(*number)) return {};
  return static_cast<int>(*number);
}

std::string textOr(const Query& query, const char* name, const char* fallback) {
  auto found = query.find(name);
  return found == query.end() ? fallback : found->second;
}

bool isOneOf(std::initializer_list<std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::optional<Network> networkOf(const Query& query) {
  auto sizes = parseSizes(textOr(query, "size", ""));
  auto bias = wholeIn(query, "bias", 1, 0, 1);
  Network network;
  network.hidden = textOr(query, "hidden", "relu");
  network.output = textOr(query, "output", "softmax");
  bool knows = isOneOf({"relu", "sigmoid", "tanh"}, network.hidden) &&
               isOneOf({"softmax", "sigmoid", "relu", "tanh"}, network.output);
  if (!sizes || sizes->size() != 1 || !bias || !knows) return {};
  network.size = sizes->front();
  network.bias = *bias != 0;
  return network;
}

/// Pixels of digits in [0, 1], and their labels.
struct Digits {
  std::vector<double> images;
  std::vector<uint8_t> labels;
};
std::optional<Digits> digitsOf(const std::string& folder, int count) {
  Result<std::string> bytes = digits(folder, 0, count);
  if (!bytes) return {};
  Digits out;
  size_t pixels = static_cast<size_t>(count) * kInputs;
  for (size_t i = 0; i < bytes->size(); ++i) {
    auto byte = static_cast<uint8_t>((*bytes)[i]);
    if (i < pixels) {
      out.images.push_back(byte / 255.0);
    } else {
      out.labels.push_back(byte);
    }
  }
  return out;
}

std::optional<std::string> outputsJson(const std::string& folder, const Query& query) {
  auto network = networkOf(query);
  auto count = wholeIn(query, "count", 10, 1, kMostDigits);
  if (!network || !count) return {};
  auto digits = digitsOf(folder, *count);
  if (!digits) return {};
  std::vector<Layer> layers = weightsOf(*network);
  Json out = Json::array();
  for (size_t at = 0; at < digits->images.size(); at += kInputs)
    out.push_back(outputs(*network, layers, std::span(digits->images).subspan(at, kInputs)));
  return out.dump();
}

std::optional<std::string> lossesJson(const std::string& folder, const Query& query) {
  auto network = networkOf(query);
  auto batch = wholeIn(query, "batch", kBatch, 1, 1024);
  auto rate = numberIn(query, "rate", kRate, 0, 10);
  auto steps = wholeIn(query, "steps", 3, 1, kMostSteps);
  if (!network || !batch || !rate || !steps) return {};
  auto digits = digitsOf(folder, *batch * *steps);
  if (!digits) return {};
  return Json(trainingLosses(*network, weightsOf(*network), digits->images, digits->labels, *batch,
                             *rate, *steps))
      .dump();
}

std::optional<std::string> digitBytes(const std::string& folder, const Query& query) {
  auto first = wholeIn(query, "first", 0, 0, kMostDigits - 1);
  auto count = wholeIn(query, "count", kBatch, 1, kMostDigits);
  if (!first || !count) return {};
  Result<std::string> bytes = digits(folder, *first, *count);
  return bytes ? std::optional(std::move(*bytes)) : std::nullopt;
}

}  // namespace

Json networkJson(const Subject& subject, const Size& size) {
  Json sizes = {kInputs};
  for (int layer = 0; layer < size.depth; ++layer) sizes.push_back(size.width);
  sizes.push_back(kOutputs);
  const Network& net = subject.network;
  return {{"depth", size.depth},  {"width", size.width},  {"sizes", sizes},
          {"hidden", net.hidden}, {"output", net.output}, {"bias", net.bias},
          {"batch", kBatch},      {"rate", kRate},        {"training", subject.training}};
}

std::optional<std::pair<std::string, std::string>> dataFor(const std::string& digitsFolder,
                                                           const std::string& path,
                                                           const Query& query) {
  auto as =
      [](const char* type,
         std::optional<std::string> bytes) -> std::optional<std::pair<std::string, std::string>> {
    if (!bytes) return {};
    return std::pair(std::move(*bytes), std::string(type));
  };
  if (path == "weights.bin") {
    auto network = networkOf(query);
    if (!network) return {};
    return as("application/octet-stream", weightBytes(weightsOf(*network), network->bias));
  }
  if (path == "digits.bin") return as("application/octet-stream", digitBytes(digitsFolder, query));
  if (path == "outputs.json") return as("application/json", outputsJson(digitsFolder, query));
  if (path == "losses.json") return as("application/json", lossesJson(digitsFolder, query));
  return {};
}

// ---- trials

Desk Trials::desk() {
  return {
      .subjects = [this] { return toJson(catalogue_); },
      .create = [this](const Cell& cell) { return create(cell); },
      .next = [this] { return next(); },
      .trial = [this](int64_t id) -> std::optional<Json> {
        Json json = this->json(id);
        return json.is_null() ? std::nullopt : std::optional(std::move(json));
      },
      .phase = [this](int64_t id, const std::string& phase) -> Status {
        {
          std::lock_guard lock(mutex_);
          if (!tickets_.contains(id)) return fail("there is no trial ", id);
        }
        if (onPhase) onPhase(id, phase);
        return {};
      },
      .usage = [this](int64_t id, const auto& samples) { return keepUsage(id, samples); },
      .result = [this](int64_t id, const TrialResult& r) { return accept(id, r); },
      .data = [this](const std::string& path, const Query& query) { return data(path, query); }};
}

int64_t Trials::add(const Cell& cell, bool isWalk) {
  std::lock_guard lock(mutex_);
  tickets_[++last_] = {cell, isWalk, std::chrono::steady_clock::now(), {}, {}};
  return last_;
}

int64_t Trials::open(const Cell& cell) { return add(cell, false); }

std::optional<TrialResult> Trials::wait(int64_t id, std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  // A ticket may be closed meanwhile, so it is looked for each time.
  auto found = tickets_.end();
  changed_.wait_for(lock, time, [&] {
    found = tickets_.find(id);
    return found == tickets_.end() || found->second.result;
  });
  return found == tickets_.end() ? std::nullopt : found->second.result;
}

void Trials::close(int64_t id) {
  std::lock_guard lock(mutex_);
  tickets_.erase(id);
  changed_.notify_all();
}

Json Trials::json(int64_t id) {
  Cell cell;
  {
    std::lock_guard lock(mutex_);
    auto found = tickets_.find(id);
    if (found == tickets_.end()) return nullptr;
    cell = found->second.cell;
  }
  const Subject& subject = *catalogue_.subject(cell.subject);
  std::vector<std::string> files = subject.files;
  auto backend = std::ranges::find(subject.backends, cell.backend, &Backend::name);
  files.insert(files.end(), backend->files.begin(), backend->files.end());
  const Task* task = catalogue_.task(cell.task);
  bool isProfiled = task && std::ranges::find(task->phases, "depth") != task->phases.end();
  return {{"id", id},
          {"subject", cell.subject},
          {"backend", cell.backend},
          {"task", cell.task},
          {"size", cell.size.name()},
          {"network", networkJson(subject, cell.size)},
          {"files", files},
          {"module", subject.module},
          {"profile", isProfiled},
          {"models", subject.models.empty() ? subject.name : subject.models},
          {"budget", options_.budget},
          {"samples", options_.samples}};
}

Status Trials::check(const Cell& cell) const {
  const Subject* subject = catalogue_.subject(cell.subject);
  const Task* task = catalogue_.task(cell.task);
  if (!subject) return fail("there is no subject \"", cell.subject, "\"");
  if (!task) return fail("there is no task \"", cell.task, "\"");
  if (subject->native) return fail(subject->title, " is a native program: no page can run it");
  if (std::ranges::find(subject->backends, cell.backend, &Backend::name) == subject->backends.end())
    return fail(subject->title, " has no backend \"", cell.backend, "\"");
  if (task->sized != (cell.size.depth > 0))
    return fail("the task ", cell.task, task->sized ? " needs a size" : " has no size");
  // Larger ones could be trained, but the reference is not made for them.
  if (task->sized) FJORD_CHECK(parseSizes(cell.size.name()));
  return {};
}

Result<Json> Trials::create(const Cell& cell) {
  FJORD_CHECK(check(cell));
  return json(add(cell, true));
}

Json Trials::next() {
  Cell cell;
  size_t left;
  {
    std::lock_guard lock(mutex_);
    if (walked_ == walk.size()) return nullptr;
    cell = walk[walked_++];
    left = walk.size() - walked_;
  }
  Json json = this->json(add(cell, true));
  json["left"] = left;
  return json;
}

Status Trials::keepUsage(int64_t id, const std::vector<Sample>& samples) {
  std::lock_guard lock(mutex_);
  auto found = tickets_.find(id);
  if (found == tickets_.end()) return fail("the trial ", id, " is over");
  if (found->second.result) return fail("the trial ", id, " has a result already");
  std::vector<Sample>& used = found->second.used;
  constexpr size_t kMostUsed = 20'000;
  if (used.size() + samples.size() > kMostUsed)
    return fail("the trial ", id, " has ", used.size(), " samples of use already");
  used.insert(used.end(), samples.begin(), samples.end());
  return {};
}

Status Trials::accept(int64_t id, const TrialResult& told) {
  Cell cell;
  TrialResult result = told;
  double seconds;
  {
    std::lock_guard lock(mutex_);
    auto found = tickets_.find(id);
    if (found == tickets_.end()) return fail("the trial ", id, " is over");
    Ticket& ticket = found->second;
    if (ticket.result) return fail("the trial ", id, " has a result already");
    if (result.outcome == Outcome::kOk)
      result.samples.insert(result.samples.end(), ticket.used.begin(), ticket.used.end());
    // Nobody waits for that of a walk: that there is one is enough.
    ticket.result = ticket.isWalk ? TrialResult{} : result;
    changed_.notify_all();
    if (!ticket.isWalk || !onResult) return {};
    cell = ticket.cell;
    seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - ticket.start).count();
  }
  Status kept = onResult(cell, seconds, result);
  if (kept) return kept;
  // It is not lost while its page is open: it may be sent again.
  std::lock_guard lock(mutex_);
  if (auto found = tickets_.find(id); found != tickets_.end()) found->second.result.reset();
  return kept;
}

std::optional<std::pair<std::string, std::string>> Trials::data(const std::string& path,
                                                                const Query& query) {
  // Neither has a line end: the server refuses control characters.
  std::string key = path;
  for (const auto& [name, value] : query) key += cat("\n", name, "\n", value);
  {
    std::lock_guard lock(mutex_);
    if (auto found = known_.find(key); found != known_.end()) return found->second;
  }
  auto made = dataFor(options_.digits, path, query);
  // Pages ask for the same few things over and over; whoever asks for others gets them made anew.
  constexpr size_t kMostKnown = 100;
  std::lock_guard lock(mutex_);
  if (made && known_.size() < kMostKnown) known_[key] = *made;
  return made;
}

}  // namespace fjord::study
