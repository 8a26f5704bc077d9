#include "lab/lab.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <set>
#include <thread>

#include "lab/machine.h"
#include "lab/native.h"
#include "lab/progress.h"
#include "meter/meter.h"

namespace fjord::study {

namespace {

using Clock = std::chrono::steady_clock;
constexpr Milliseconds kLook(500);
// Whether a page that said nothing in its time is slow, or gone.
constexpr Milliseconds kLastWords(1'000);

Json toJson(const LabOptions& options) {
  Json workloads = Json::array();
  for (const Workload& workload : options.plan.workloads) workloads.push_back(workload.name());
  return {{"workloads", workloads},
          {"subjects", options.plan.subjects},
          {"tasks", options.plan.tasks},
          {"rounds", options.plan.rounds},
          {"minutes", options.minutes.value_or(0)},
          {"timeoutMilliseconds", options.timeout.count()},
          {"budgetMilliseconds", options.trials.budget},
          {"samples", options.trials.samples},
          {"text", options.trials.sources.text},
          {"browser", options.browser.browser},
          {"headless", options.browser.headless},
          {"softwareGpu", options.browser.softwareGpu}};
}

/// The options of a run that goes on are those that it had.
Status takeOptions(const Catalogue& catalogue, const Run& run, LabOptions& options) {
  const Json& j = run.options;
  FJORD_TRY(options.plan, planOptionsOf(catalogue, run));
  options.trials.budget = intOr(j, "budgetMilliseconds", options.trials.budget);
  options.trials.samples = intOr(j, "samples", options.trials.samples);
  options.trials.sources.text = stringOr(j, "text", options.trials.sources.text);
  options.timeout = Milliseconds(intOr(j, "timeoutMilliseconds", 0));
  if (!options.minutes) options.minutes = numberOr(j, "minutes", 0);
  options.browser.browser = stringOr(j, "browser", options.browser.browser);
  options.browser.headless = boolOr(j, "headless", options.browser.headless);
  return {};
}

/// The adapters that the browser would compute on, as it names them.
constexpr const char* kAdapterScript = R"(
const {gpuName} = await import('/harness/page.js');
const [webgpu, webgl] = [await gpuName('webgpu'), await gpuName('webgl')];
return `WebGPU: ${webgpu || 'no WebGPU'}; WebGL: ${webgl || 'no WebGL'}`;
)";

/// Everything that a run has open.
class Lab {
 public:
  Lab(const Catalogue& catalogue, const LabOptions& options, Store& store)
      : catalogue_(catalogue),
        options_(options),
        store_(store),
        trials_(catalogue, options.trials),
        natives_({options.places.study, options.trials.sources, options.places.files,
                  options.places.build, options.places.cache, catalogue.families}) {}

  Status open();
  Result<Run> describe();
  /// What the programs of native subjects need, before the clock runs.
  void prepare(const std::vector<Trial>& trials);
  Status run(int64_t run, const std::vector<Trial>& trials, std::set<Cell> hopeless);

 private:
  TrialResult perform(const Cell& cell);
  TrialResult inBrowser(const Cell& cell);
  TrialResult inProcess(const Subject& subject, const Cell& cell);
  std::optional<TrialResult> await(Session& session, int64_t id, Milliseconds timeout);
  /// How long a trial may take: half a minute, and twenty times what a step takes where plain
  /// JavaScript computes it, 0.15 GMAC/s; ten minutes at most.
  Milliseconds timeoutOf(const Cell& cell) const;
  /// Of the run's trials; 0: as long as it takes.
  double seconds() const { return 60 * options_.minutes.value_or(0); }

  const Catalogue& catalogue_;
  const LabOptions& options_;
  Store& store_;
  Trials trials_;
  NativeRunner natives_;
  std::optional<Server> server_;
  std::optional<Driver> driver_;
  std::mutex mutex_;                            // of these two
  Meter* meter_ = nullptr;                      // of the trial that runs
  std::string phase_;                           // that its page is in
  std::map<std::string, std::string> unready_;  // native subjects that cannot run here, and why
};

Status Lab::open() {
  trials_.onPhase = [this](int64_t, const std::string& phase) {
    std::lock_guard lock(mutex_);
    phase_ = phase;
    if (meter_) meter_->mark(phase);
  };
  ServerOptions served{.host = options_.host,
                       .port = options_.port,
                       .folders = foldersOf(options_.places),
                       .files = options_.places.files};
  FJORD_TRY(server_, Server::start(served, trials_.desk()));
  if (!options_.webdriver.empty()) {
    FJORD_TRY(driver_, Driver::at(options_.webdriver));
    return {};
  }
  FJORD_TRY(std::string program, driverOf(options_.browser.browser));
  FJORD_TRY(driver_, Driver::start(program));
  return {};
}

Result<Run> Lab::describe() {
  Run run{.started = utcNow(),
          .machine = thisMachine(options_.places.cache),
          .seed = options_.plan.seed,
          .options = toJson(options_)};
  FJORD_TRY(Session session, driver_->open(capabilities(options_.browser)));
  run.browser = session.browser();
  FJORD_CHECK(session.go(server_->url() + "/harness/index.html"));
  FJORD_TRY(Json adapter, session.script(cat("return (async () => {", kAdapterScript, "})()")));
  if (adapter.is_string()) run.machine.gpu = adapter.get<std::string>();
  return run;
}

void Lab::prepare(const std::vector<Trial>& trials) {
  std::set<std::string> wanted;
  for (const Trial& trial : trials) wanted.insert(trial.cell.subject);
  for (const std::string& name : wanted) {
    const Subject& subject = *catalogue_.subject(name);
    if (!subject.native) continue;
    Status ready = natives_.prepare(
        subject, [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); });
    if (!ready) unready_[name] = ready.error().message;
  }
}

Status Lab::run(int64_t run, const std::vector<Trial>& trials, std::set<Cell> hopeless) {
  Progress progress(static_cast<int>(trials.size()), seconds());
  Clock::time_point start = Clock::now();
  int done = 0;
  for (const Trial& trial : trials) {
    const Cell& cell = trial.cell;
    std::string what =
        cat(cell.subject, "/", cell.backend, " ", cell.task, " ", cell.workload.name());
    if (seconds() > 0 && Clock::now() - start > std::chrono::duration<double>(seconds())) break;
    progress.show(done++, what);
    if (hopeless.contains(cell)) continue;
    TrialRow row{.run = run, .trial = trial, .started = utcNow()};
    Clock::time_point began = Clock::now();
    row.result = perform(cell);
    row.seconds = std::chrono::duration<double>(Clock::now() - began).count();
    FJORD_CHECK(store_.addTrial(row));
    Outcome outcome = row.result.outcome;
    if (outcome == Outcome::kOk) continue;
    hopeless.insert(cell);
    if (outcome != Outcome::kUnsupported)
      progress.say(
          cat(what, ": ", kOutcomeNames[static_cast<int>(outcome)], ": ", row.result.message));
  }
  progress.end();
  return {};
}

Milliseconds Lab::timeoutOf(const Cell& cell) const {
  if (options_.timeout.count() > 0) return options_.timeout;
  constexpr double kLeast = 30, kMost = 600, kSteps = 20, kMacsPerSecond = 0.15e9;
  Result<Network> network = catalogue_.network(cell);
  const std::vector<std::string>& phases = catalogue_.task(cell.task)->phases;
  bool trains = std::ranges::find(phases, "build") != phases.end();
  double macs = !network ? 0 : trains ? network->batch * network->trainingMacs() : network->macs();
  double seconds = std::min(kMost, kLeast + kSteps * macs / kMacsPerSecond);
  return Milliseconds(static_cast<int64_t>(1000 * seconds));
}

TrialResult Lab::perform(const Cell& cell) {
  const Subject& subject = *catalogue_.subject(cell.subject);
  std::string reason = catalogue_.refusal(cell);
  if (!reason.empty()) return failed(Outcome::kUnsupported, reason);
  return subject.native ? inProcess(subject, cell) : inBrowser(cell);
}

TrialResult Lab::inProcess(const Subject& subject, const Cell& cell) {
  if (auto found = unready_.find(subject.name); found != unready_.end())
    return failed(Outcome::kUnsupported, found->second);
  int64_t id = trials_.open(cell);
  TrialResult result = natives_.run(subject, trials_.json(id), timeoutOf(cell));
  trials_.close(id);
  return result;
}

TrialResult Lab::inBrowser(const Cell& cell) {
  Milliseconds timeout = timeoutOf(cell);
  Result<Session> session = driver_->open(capabilities(options_.browser));
  if (!session) return failed(Outcome::kCrash, "no browser: " + session.error().message);
  int64_t id = trials_.open(cell);
  std::optional<Meter> meter;
  if (session->process()) meter.emplace(session->process());
  {
    std::lock_guard lock(mutex_);
    phase_ = "opening";
    meter_ = meter ? &*meter : nullptr;
  }
  std::optional<TrialResult> result;
  // A page that may be profiled is slower: only where that is what is measured.
  bool isProfiled = boolOr(trials_.json(id), "profile", false);
  Status gone = session->go(
      cat(server_->url(), "/harness/run.html?trial=", id, isProfiled ? "&profile" : ""));
  if (!gone && saysCrash(gone.error())) {
    result = failed(Outcome::kCrash, gone.error().message);
  } else {
    result = await(*session, id, timeout);
  }
  trials_.close(id);
  std::lock_guard lock(mutex_);
  meter_ = nullptr;
  if (!result) {
    return failed(Outcome::kTimeout,
                  cat("no end within ", timeout.count() / 1000, " s, in the phase ", phase_));
  }
  if (meter && result->outcome == Outcome::kOk) {
    std::vector<Sample> used = meter->stop();
    result->samples.insert(result->samples.end(), used.begin(), used.end());
  }
  return *result;
}

std::optional<TrialResult> Lab::await(Session& session, int64_t id, Milliseconds timeout) {
  Clock::time_point end = Clock::now() + timeout;
  while (Clock::now() < end) {
    if (auto result = trials_.wait(id, kLook)) return result;
    // A driver that is asked meanwhile makes the page answer, and stops its requests when it does not.
    if (session.process() && processTree(session.process()).empty())
      return failed(Outcome::kCrash, "the browser has ended");
  }
  if (!session.setDeadline(kLastWords)) return {};
  Result<std::string> title = session.title();
  if (!title && saysCrash(title.error())) return failed(Outcome::kCrash, title.error().message);
  return {};
}

}  // namespace

Places placesIn(const std::string& root, const std::string& cache, const std::string& out) {
  return {.study = root + "/study",
          .modules = root + "/node_modules",
          .package = root + "/build/npm",
          .build = root + "/build/native",
          .cache = cache,
          .files = out + "/files"};
}

std::map<std::string, std::string> foldersOf(const Places& places) {
  return {{"/", places.study + "/harness"},
          {"/harness/", places.study + "/harness"},
          {"/subjects/", places.study + "/subjects"},
          {"/tasks/", places.study + "/tasks"},
          {"/extension/", places.study + "/extension"},
          {"/packages/", places.modules},
          {"/fjord/", places.package}};
}

Result<int64_t> conduct(const Catalogue& catalogue, LabOptions options, Store& store) {
  std::optional<Run> before;
  if (options.resume) {
    FJORD_TRY(std::vector<Run> runs, store.runs());
    for (const Run& run : runs) {
      if (run.ended.empty()) before = run;
    }
    if (!before)
      return fail("there is no interrupted run in this store: start one without --resume");
    FJORD_CHECK(takeOptions(catalogue, *before, options));
  }
  // Without it Chromium tells of a page's memory after its next garbage collection, 10 to 20 s later.
  if (options.browser.browser == "chromium")
    options.browser.arguments.push_back("--enable-blink-features=ForceEagerMeasureMemory");
  FJORD_TRY(Plan plan, makePlan(catalogue, options.plan));
  Lab lab(catalogue, options, store);
  FJORD_CHECK(lab.open());
  std::vector<Trial> trials = plan.trials;
  std::set<Cell> hopeless;
  int64_t id;
  if (before) {
    id = before->id;
    FJORD_TRY(std::vector<TrialRow> done, store.trials(id));
    trials = remaining(plan, done);
    for (const TrialRow& row : done) {
      if (row.result.outcome != Outcome::kOk) hopeless.insert(row.trial.cell);
    }
  } else {
    FJORD_TRY(Run run, lab.describe());
    FJORD_TRY(id, store.addRun(run));
  }
  lab.prepare(trials);
  FJORD_CHECK(lab.run(id, trials, std::move(hopeless)));
  FJORD_CHECK(store.endRun(id, utcNow()));
  return id;
}

Status serve(const Catalogue& catalogue, const LabOptions& options, Store& store,
             const std::atomic<bool>& stop) {
  FJORD_TRY(Plan plan, makePlan(catalogue, options.plan));
  Run run{.started = utcNow(),
          .machine = thisMachine(options.places.cache),
          .browser = "opened by a person",
          .seed = options.plan.seed,
          .options = toJson(options)};
  FJORD_TRY(int64_t id, store.addRun(run));
  Trials trials(catalogue, options.trials);
  for (const Trial& trial : plan.trials) {
    const Subject& subject = *catalogue.subject(trial.cell.subject);
    if (!subject.native && catalogue.refusal(trial.cell).empty()) trials.walk.push_back(trial.cell);
  }
  std::mutex mutex;
  int64_t last = 0;
  trials.onResult = [&](const Cell& cell, double seconds, const TrialResult& result) {
    std::lock_guard lock(mutex);
    std::printf("%s/%s %s %s: %s %s\n", cell.subject.c_str(), cell.backend.c_str(),
                cell.task.c_str(), cell.workload.name().c_str(),
                kOutcomeNames[static_cast<int>(result.outcome)], result.message.c_str());
    return store.addTrial({.run = id,
                           .trial = {.id = ++last, .cell = cell},
                           .started = utcNow(),
                           .seconds = seconds,
                           .result = result});
  };
  FJORD_TRY(Server server, Server::start({.host = options.host,
                                          .port = options.port,
                                          .folders = foldersOf(options.places),
                                          .files = options.places.files},
                                         trials.desk()));
  std::string token = server.token().empty() ? "" : "/?token=" + server.token();
  std::printf("Open %s%s in any browser (stop with Ctrl-C)\n", server.url().c_str(), token.c_str());
  std::fflush(stdout);
  while (!stop) std::this_thread::sleep_for(Milliseconds(200));
  return store.endRun(id, utcNow());
}

}  // namespace fjord::study
