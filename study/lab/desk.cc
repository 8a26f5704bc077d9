#include "lab/desk.h"

#include <algorithm>

namespace fjord::study {

Json networkJson(const Catalogue& catalogue, const Cell& cell) {
  Result<Network> network = catalogue.network(cell);
  if (!network) return nullptr;
  Json json = toJson(*network);
  json["training"] = catalogue.subject(cell.subject)->training;
  return json;
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
          {"workload", cell.workload.name()},
          {"network", networkJson(catalogue_, cell)},
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
  if (task->sized != (cell.workload.depth > 0))
    return fail("the task ", cell.task, task->sized ? " needs a workload" : " has no workload");
  if (task->sized) FJORD_CHECK(catalogue_.network(cell));
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
  auto made = dataFor(catalogue_.families, options_.sources, path, query);
  // Pages ask for the same few things over and over; whoever asks for others gets them made anew.
  constexpr size_t kMostKnown = 100;
  std::lock_guard lock(mutex_);
  if (made && known_.size() < kMostKnown) known_[key] = *made;
  return made;
}

}  // namespace fjord::study
