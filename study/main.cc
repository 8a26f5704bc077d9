// fjord-study: how far can deep learning in this browser go, measured on this machine. docs/study.md explains it.
//
//   fjord-study run --quick --out results
//   fjord-study report --out results
#include <CLI/CLI.hpp>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "lab/lab.h"
#include "report/report.h"

namespace fjord::study {
namespace {

namespace fs = std::filesystem;

std::atomic<bool> stopped = false;

/// What all commands have in common.
struct Common {
  std::string root = FJORD_ROOT;
  std::string cache;
  std::string out = "study-results";
  std::string store;
};

std::string storeOf(const Common& common) {
  return common.store.empty() ? common.out + "/study.sqlite" : common.store;
}

Status write(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) return fail(path, " could not be written: ", std::strerror(errno));
  return {};
}

/// A run of a store by its number, 0 for the last one.
Result<ReportInput> inputOf(const Common& common, const std::string& where, int64_t number) {
  FJORD_TRY(Store store, Store::open(where));
  FJORD_TRY(std::vector<Run> runs, store.runs());
  ReportInput input;
  for (const Run& run : runs) {
    if (number == 0 || run.id == number) input.run = run;
  }
  if (input.run.id == 0)
    return fail(where, number ? cat(" has no run ", number)
                              : " has no runs: make one with fjord-study run");
  FJORD_TRY(input.trials, store.trials(input.run.id));
  Places places = placesIn(common.root, common.cache, common.out);
  FJORD_TRY(input.catalogue, readCatalogue(places.study));
  input.modules = places.modules;
  return input;
}

Status makeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  return error ? fail(path, ": ", error.message()) : Status();
}

Status report(const Common& common, const std::string& where, int64_t number) {
  FJORD_TRY(ReportInput input, inputOf(common, where, number));
  FJORD_TRY(std::string html, htmlReport(input));
  FJORD_CHECK(makeFolder(common.out));
  FJORD_CHECK(write(common.out + "/report.html", html));
  FJORD_CHECK(write(common.out + "/report.md", markdownReport(input)));
  std::printf("\n%s\nreport: %s\n", terminalTable(input).c_str(),
              fs::absolute(common.out + "/report.html").c_str());
  return {};
}

Status run(const Common& common, const Catalogue& catalogue, const LabOptions& options) {
  FJORD_CHECK(makeFolder(common.out));
  int64_t id;
  {
    FJORD_TRY(Store store, Store::open(storeOf(common)));
    FJORD_TRY(id, conduct(catalogue, options, store));
  }
  return report(common, storeOf(common), id);
}

Status serveUntilStopped(const Common& common, const Catalogue& catalogue,
                         const LabOptions& options) {
  FJORD_CHECK(makeFolder(common.out));
  FJORD_TRY(Store store, Store::open(storeOf(common)));
  std::signal(SIGINT, [](int) { stopped = true; });
  std::signal(SIGTERM, [](int) { stopped = true; });
  return serve(catalogue, options, store, stopped);
}

Status compare(const Common& common, const std::string& a, const std::string& b, int64_t runA,
               int64_t runB) {
  FJORD_TRY(ReportInput first, inputOf(common, a, runA));
  FJORD_TRY(ReportInput second, inputOf(common, b, runB));
  FJORD_TRY(std::string text, compareRuns(first, second));
  std::printf("%s", text.c_str());
  return {};
}

/// Options of commands that make trials.
struct TrialArguments {
  bool isQuick = false, isFull = false;
  std::string workloads, suite;
  std::optional<double> minutes;
  int rounds = 0;
  double timeout = 0;
  std::string corpus;

  void addTo(CLI::App* app, LabOptions& options) {
    app->add_option("--subjects", options.plan.subjects, "only these: tfjs, tfjs/wasm, ..")
        ->delimiter(',');
    app->add_option("--tasks", options.plan.tasks, "only these: train, infer, ..")->delimiter(',');
    app->add_option("--workloads,--sizes", workloads,
                    "networks: 1x64,8x256 of dense layers, cnn/9x400, ..");
    app->add_option("--suite", suite,
                    "networks: section4, section5, or section5-small with smaller convolutions");
    app->add_option("--seed", options.plan.seed, "of the order of the trials")
        ->capture_default_str();
    app->add_option("--budget", options.trials.budget, "milliseconds that a trial repeats its step")
        ->capture_default_str();
    app->add_option("--timeout", timeout,
                    "seconds of one trial; by its network unless said: 30 to 600")
        ->check(CLI::Range(1.0, 86400.0));
    app->add_option("--corpus", corpus, "a text for recurrent networks instead of Moby-Dick")
        ->check(CLI::ExistingFile);
    app->add_flag("--quick", isQuick, "three subjects, one size, one round: some minutes");
    app->add_flag("--full", isFull, "the paper's twelve sizes, three rounds: hours");
  }

  Status take(const Catalogue& catalogue, LabOptions& options) const {
    if (isQuick && isFull) return fail("--quick and --full exclude each other");
    PlanOptions& plan = options.plan;
    plan.rounds = rounds ? rounds : isQuick ? 1 : 3;
    options.minutes = minutes;
    options.trials.sources = sourcesIn(options.places.modules);
    if (!corpus.empty()) options.trials.sources.text = corpus;
    options.timeout = std::chrono::milliseconds(static_cast<int64_t>(1000 * timeout));
    if (!minutes && !options.resume) options.minutes = isQuick ? 3 : isFull ? 0 : 13;
    plan.workloads = isFull    ? catalogue.workloadsOf("dense")
                     : isQuick ? std::vector<Workload>{{1, 64}}
                               : std::vector<Workload>{{1, 64}, {1, 256}, {8, 256}};
    if (isQuick && plan.subjects.empty())
      plan.subjects = {"fjord", "tfjs/cpu", "tfjs/wasm", "convnetjs", "fjord-native"};
    if (isQuick) options.trials.budget = std::min(options.trials.budget, 500);
    if (!workloads.empty() && !suite.empty())
      return fail("--workloads and --suite exclude each other");
    if (!suite.empty()) {
      FJORD_TRY(plan.workloads, suiteOf(catalogue.families, suite));
    }
    if (!workloads.empty()) {
      FJORD_TRY(plan.workloads, parseWorkloads(catalogue.families, workloads));
    }
    return {};
  }
};

/// Whether an address is of a driver here, which may be told what browser there is.
bool isThisMachine(const std::string& url) {
  for (const char* host : {"//127.0.0.1", "//localhost", "//[::1]"}) {
    if (url.contains(host)) return true;
  }
  return false;
}

int finish(const Status& status) {
  if (status) return 0;
  std::fprintf(stderr, "fjord-study: %s\n", status.error().message.c_str());
  return 1;
}

int main(int argc, char** argv) {
  CLI::App app("How far can deep learning in this browser go, measured on this machine",
               "fjord-study");
  app.require_subcommand(1);
  Common common;
  LabOptions options;
  TrialArguments trials;
  int64_t number = 0, other = 0;
  std::string a, b;
  bool isHeaded = false;

  app.add_option("--root", common.root, "the checkout of Fjord")->capture_default_str();
  app.add_option("--out", common.out, "the folder of the results")->capture_default_str();
  app.add_option("--store", common.store,
                 "instead of OUT/study.sqlite: another file, or postgresql://USER@HOST/DATABASE");

  CLI::App* runs = app.add_subcommand("run", "measure, and write the report")->fallthrough();
  trials.addTo(runs, options);
  runs->add_option("--minutes", trials.minutes,
                   "no trial begins later; 13 unless --quick or --full; 0: as long as it takes");
  runs->add_option("--rounds", trials.rounds,
                   "times that each cell is measured at most; 3, or 1 with --quick");
  runs->add_option("--browser", options.browser.browser, "chromium or firefox")
      ->capture_default_str();
  runs->add_option("--webdriver", options.webdriver,
                   "a driver or a Selenium Grid that runs: http://HOST:4444");
  runs->add_flag("--headed", isHeaded, "with windows");
  runs->add_flag("--resume", options.resume, "go on with the run that was interrupted");
  runs->add_option("--host", options.host, "of our server, for a browser on another machine")
      ->capture_default_str();
  runs->add_option("--port", options.port, "of our server; any free one unless said");

  CLI::App* served =
      app.add_subcommand("serve", "the pages for any browser, by link or with the extension")
          ->fallthrough();
  trials.addTo(served, options);
  served->add_option("--host", options.host, "beyond loopback a token is needed, which is printed")
      ->capture_default_str();
  served->add_option("--port", options.port)->capture_default_str();

  CLI::App* told = app.add_subcommand("report", "write the report of a run again")->fallthrough();
  told->add_option("--run", number, "its number; the last one unless said");

  CLI::App* compared = app.add_subcommand("compare", "how far two runs agree")->fallthrough();
  compared->add_option("A", a, "a store")->required();
  compared->add_option("B", b, "a store")->required();
  compared->add_option("--run-a", number, "a run of A; the last one unless said");
  compared->add_option("--run-b", other, "a run of B; the last one unless said");

  CLI11_PARSE(app, argc, argv);
  const char* home = std::getenv("HOME");
  const char* cache = std::getenv("FJORD_CACHE");
  common.cache = cache ? cache : std::string(home ? home : ".") + "/.cache/fjord";
  options.places = placesIn(common.root, common.cache, fs::absolute(common.out).string());
  options.browser.headless = !isHeaded;
  options.browser.softwareGpu = !hasGpu();
  options.browser.remote = !options.webdriver.empty() && !isThisMachine(options.webdriver);

  if (told->parsed()) return finish(report(common, storeOf(common), number));
  if (compared->parsed()) return finish(compare(common, a, b, number, other));
  Result<Catalogue> catalogue = readCatalogue(options.places.study);
  if (!catalogue) return finish(std::unexpected(catalogue.error()));
  if (Status taken = trials.take(*catalogue, options); !taken) return finish(taken);
  return finish(runs->parsed() ? run(common, *catalogue, options)
                               : serveUntilStopped(common, *catalogue, options));
}

}  // namespace
}  // namespace fjord::study

int main(int argc, char** argv) { return fjord::study::main(argc, argv); }
