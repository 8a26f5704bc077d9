#include "plan/subjects.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace fjord::study {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTask = R"({"title": "Training", "phases": ["build", "first", "steady"]})";
constexpr const char* kWorkload =
    R"({"title": "D", "depthIs": "layers", "widthIs": "units", "input": [784], "depths": [1, 2],
        "widths": [64], "block": [{"type": "dense", "units": "width"}],
        "tail": [{"type": "dense", "units": 10, "activation": "output"}]})";
constexpr const char* kSubject = R"({"title": "A", "backends": {"cpu": {"title": "JavaScript"}}})";

/// A folder like study/, with the task "train" and the subject "a".
class Catalogues : public testing::Test {
 protected:
  Catalogues() {
    fs::remove_all(study);
    write("tasks/train/task.json", kTask);
    write("subjects/a/subject.json", kSubject);
    write("workloads/dense/workload.json", kWorkload);
  }
  ~Catalogues() override { fs::remove_all(study); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((study / path).parent_path());
    std::ofstream(study / path) << text;
  }
  Result<Catalogue> read() { return readCatalogue(study.string()); }
  /// What is wrong with a file, from the file's name on.
  std::string wrong(const std::string& path, const std::string& text) {
    write(path, text);
    auto catalogue = read();
    if (catalogue) return "nothing";
    const std::string& message = catalogue.error().message;
    size_t at = message.find(path + ":");
    return at == std::string::npos ? "elsewhere: " + message : message.substr(at + path.size() + 2);
  }
  std::string wrongSubject(const std::string& text) {
    return wrong("subjects/a/subject.json", text);
  }
  std::string wrongTask(const std::string& text) { return wrong("tasks/train/task.json", text); }

  fs::path study = fs::path(testing::TempDir()) / ("fjord-study-" + std::to_string(getpid()));
};

TEST_F(Catalogues, WhatIsNotSaidHasItsDefault) {
  auto catalogue = read();
  ASSERT_TRUE(catalogue) << catalogue.error().message;
  const Task* task = catalogue->task("train");
  const Subject* subject = catalogue->subject("a");
  ASSERT_TRUE(task && subject);
  EXPECT_TRUE(task->sized && task->perBackend && !task->first);
  EXPECT_EQ(task->phases, (std::vector<std::string>{"build", "first", "steady"}));
  EXPECT_EQ(subject->training, "batch");
  EXPECT_EQ(subject->style.hidden, "relu");
  EXPECT_EQ(subject->style.output, "softmax");
  EXPECT_TRUE(subject->style.bias);
  EXPECT_FALSE(subject->native || subject->paper || subject->module || subject->backends[0].gpu);
  EXPECT_FALSE(catalogue->subject("b") || catalogue->task("b"));
}

TEST_F(Catalogues, EverythingThatCanBeSaid) {
  write("tasks/empty/task.json",
        R"({"title": "E", "sized": false, "perBackend": false, "first": true, "phases": []})");
  write("subjects/native/subject.json", R"({
    "title": "N", "native": true, "command": ["{python}", "trial.py"], "models": "b",
    "training": "none", "backends": {"x": {"title": "X"}}})");
  write("subjects/b/package.json", R"({"dependencies": {"@b/c": "1.2.3", "d": "0.1.0-alpha.4"}})");
  write("subjects/b/subject.json", R"({
    "title": "B", "paper": true, "note": "noted", "packages": ["@b/c", "d"],
    "files": ["@b/c/dist/x.js", "/fjord/y.mjs"], "module": true, "training": "online",
    "network": {"hidden": "tanh", "output": "sigmoid", "bias": false},
    "backends": {"wasm": {"title": "W", "files": ["d/z.js"]},
                 "gpu": {"title": "G", "gpu": true, "unsupported": {"train": "no GPU training", "conv2d": "no images"}}},
    "unsupported": {"empty": "never empty", "train conv2d": "no gradient of filters"}})");
  auto catalogue = read();
  ASSERT_TRUE(catalogue) << catalogue.error().message;
  ASSERT_EQ(catalogue->subjects.size(), 3u);
  EXPECT_EQ(catalogue->subjects[0].name, "a");
  EXPECT_EQ(catalogue->subjects[2].name, "native");
  EXPECT_EQ(catalogue->tasks[0].name, "empty");
  EXPECT_TRUE(catalogue->tasks[0].first && !catalogue->tasks[0].sized &&
              !catalogue->tasks[0].perBackend);
  const Subject& b = catalogue->subjects[1];
  EXPECT_TRUE(b.paper && b.module && !b.style.bias);
  EXPECT_EQ(b.note, "noted");
  EXPECT_EQ(b.packages, (std::vector<std::string>{"@b/c", "d"}));
  EXPECT_EQ(b.files, (std::vector<std::string>{"@b/c/dist/x.js", "/fjord/y.mjs"}));
  // Backends keep the order of the file: the first is the one for tasks once a subject.
  EXPECT_EQ(b.backends[0].name, "wasm");
  EXPECT_EQ(b.backends[0].files, std::vector<std::string>{"d/z.js"});
  EXPECT_TRUE(b.backends[1].gpu);
  const Subject& native = catalogue->subjects[2];
  EXPECT_EQ(native.command, (std::vector<std::string>{"{python}", "trial.py"}));
  EXPECT_EQ(native.models, "b");

  EXPECT_EQ(b.refuses("gpu", "train"), "no GPU training");
  EXPECT_EQ(b.refuses("wasm", "train"), "");
  EXPECT_EQ(b.refuses("wasm", "empty"), "never empty");
  EXPECT_EQ(native.refuses("x", "train"), "it only infers");
  EXPECT_EQ(native.refuses("x", "empty"), "");
  const Layer conv[] = {{.type = "conv2d"}};
  EXPECT_EQ(b.refuses("wasm", "train", conv), "no gradient of filters");
  EXPECT_EQ(b.refuses("wasm", "infer", conv), "");
  EXPECT_EQ(b.refuses("gpu", "infer", conv), "no images");
}

TEST_F(Catalogues, TheApiTellsAllOfIt) {
  auto catalogue = read();
  ASSERT_TRUE(catalogue);
  Json json = toJson(*catalogue);
  EXPECT_EQ(json["workloads"].dump(),
            R"([{"name":"dense","title":"D","depthIs":"layers","widthIs":"units",)"
            R"("sizes":["1x64","2x64"]}])");
  EXPECT_EQ(json["tasks"][0]["name"], "train");
  EXPECT_EQ(json["subjects"][0]["backends"][0], Json({{"name", "cpu"},
                                                      {"title", "JavaScript"},
                                                      {"gpu", false},
                                                      {"files", Json::array()},
                                                      {"unsupported", Json::object()}}));
}

TEST_F(Catalogues, MistakesOfSubjects) {
  auto with = [](const std::string& members) {
    return R"({"title": "A", "backends": {"cpu": {"title": "J"}}, )" + members + "}";
  };
  EXPECT_EQ(wrongSubject(kSubject), "nothing");
  EXPECT_EQ(wrongSubject("{\n\"title\": \"A\",\n\"backends\" 3}"), "not valid JSON, line 3");
  EXPECT_EQ(wrongSubject(""), "not valid JSON, line 1");
  EXPECT_EQ(wrongSubject("[]"), "the file must be an object {..}, got []");
  EXPECT_EQ(wrongSubject(R"({"backends": {"cpu": {"title": "J"}}})"),
            "title is missing: it must be a text that is not empty");
  EXPECT_EQ(wrongSubject(R"({"title": "A"})"), "backends is missing");
  EXPECT_EQ(wrongSubject(R"({"title": "A", "backends": {}})"), "backends has none");
  EXPECT_EQ(wrongSubject(R"({"title": "A", "backends": ["cpu"]})"),
            R"(backends must be an object {..}, got ["cpu"])");
  EXPECT_EQ(wrongSubject(R"({"title": "A", "backends": {"cpu": {}}})"),
            "backends/cpu/title is missing: it must be a text that is not empty");
  EXPECT_EQ(wrongSubject(R"({"title": "A", "backends": {"a/b": {"title": "J"}}})"),
            "backends/a/b is not named in lower-case letters, digits, - _ .");
  EXPECT_EQ(wrongSubject(R"({"title": "A", "backends": {"cpu": {"title": "J", "gpu": 1}}})"),
            "backends/cpu/gpu must be true or false, got 1");
  EXPECT_EQ(wrongSubject(with(R"("title": 3)")).substr(0, 5), "title");
  EXPECT_EQ(wrongSubject(with(R"("note": "")")),
            R"(note must be a text that is not empty, got "")");
  EXPECT_EQ(wrongSubject(with(R"("papper": true)")).substr(0, 47),
            "papper is not known; did you mean paper? There ");
  EXPECT_EQ(wrongSubject(with(R"("files": "x")")),
            R"(files must be a list of texts that are not empty, got "x")");
  EXPECT_EQ(wrongSubject(with(R"("packages": ["x", 1])")),
            R"(packages must be a list of texts that are not empty, got ["x",1])");
  EXPECT_EQ(wrongSubject(with(R"("packages": ["x"], "files": ["x/1", "xy/2"])")),
            R"(files/1 is "xy/2", of none of the packages)");
  EXPECT_EQ(wrongSubject(with(R"("training": "some")")),
            R"(training must be one of batch, online, full, none, got "some")");
  EXPECT_EQ(wrongSubject(with(R"("network": {"hidden": "softmax"})")),
            R"(network/hidden must be one of relu, sigmoid, tanh, got "softmax")");
  EXPECT_EQ(wrongSubject(with(R"("network": {"output": "gelu"})")),
            R"(network/output must be one of softmax, sigmoid, relu, tanh, got "gelu")");
  EXPECT_EQ(wrongSubject(with(R"("network": {"size": 1})")),
            "network/size is not known; there are hidden, output, bias");
  EXPECT_EQ(wrongSubject(with(R"("unsupported": {"train": true})")),
            R"(unsupported must be an object of texts that are not empty, got {"train":true})");
  EXPECT_EQ(wrongSubject(with(R"("unsupported": {"trian": "no"})")),
            "unsupported/trian: there is no such task or layer; there are the tasks train and the "
            "layers dense, conv2d, maxPool, flatten, lstm; \"train conv2d\" is one with the other");
  EXPECT_EQ(wrongSubject(with(R"("unsupported": {"conv2d": "no", "train flatten": "no"})")),
            "nothing");
  EXPECT_EQ(wrongSubject(with(R"("unsupported": {"conv2d train": "no"})")).substr(0, 46),
            "unsupported/conv2d train: there is no such tas");
  EXPECT_EQ(wrongSubject(with(R"("native": true)")),
            "command is missing: a native subject is a program");
  EXPECT_EQ(wrongSubject(with(R"("command": ["x"])")),
            R"(command is only for a subject that is "native")");
  EXPECT_EQ(wrongSubject(with(R"("models": "b")")), R"(models is "b", which is no subject)");
}

TEST_F(Catalogues, MistakesOfTasks) {
  EXPECT_EQ(wrongTask(R"({"phases": []})"),
            "title is missing: it must be a text that is not empty");
  EXPECT_EQ(wrongTask(R"({"title": "T", "sized": "yes"})"),
            R"(sized must be true or false, got "yes")");
  EXPECT_EQ(wrongTask(R"({"title": "T", "phase": []})"),
            "phase is not known; did you mean phases? There are title, sized, perBackend, "
            "perSubject, first, phases, workload");
  EXPECT_EQ(wrongTask(R"({"title": "T", "phases": ["build", "warmup"]})"),
            R"(phases/1 is "warmup", which is no phase)");
  EXPECT_EQ(wrongTask(R"({"title": "T", "workload": "1x64"})"),
            "workload is one network, of a task that is not \"sized\"");
  EXPECT_EQ(wrongTask(R"({"title": "T", "sized": false, "workload": "a/1x64"})"),
            "a/1x64: there is no family \"a\"; there are dense");
}

TEST_F(Catalogues, PackagesHaveOneVersion) {
  write("subjects/a/subject.json",
        R"({"title": "A", "packages": ["x"], "backends": {"cpu": {"title": "J"}}})");
  std::string path = "subjects/a/package.json";
  EXPECT_EQ(wrong(path, R"({"dependencies": {"x": "1.0.3"}})"), "nothing");
  for (const char* version : {"^1.0.3", "1.x", "latest", "1.0"}) {
    EXPECT_EQ(wrong(path, cat(R"({"dependencies": {"x": ")", version, R"("}})")),
              cat("dependencies/x is to be one version, such as 1.2.3, not ", version));
  }
  EXPECT_EQ(wrong(path, R"({"dependencies": {"y": "1.0.3"}})"),
            "dependencies/x is to be one version, such as 1.2.3; there is none");
}

TEST_F(Catalogues, FoldersWithoutTheirFile) {
  fs::create_directories(study / "subjects/__pycache__");
  write("subjects/shared.py", "");
  EXPECT_TRUE(read());
  fs::create_directories(study / "subjects/c");
  auto catalogue = read();
  ASSERT_FALSE(catalogue);
  EXPECT_TRUE(catalogue.error().message.ends_with("subjects/c/subject.json: cannot be read"));
  auto elsewhere = readCatalogue(study.string() + "/nowhere");
  ASSERT_FALSE(elsewhere);
  EXPECT_NE(elsewhere.error().message.find("nowhere/workloads: "), std::string::npos);
}

TEST(Catalogue, OfThisCheckout) {
  auto catalogue = readCatalogue(FJORD_ROOT "/study");
  ASSERT_TRUE(catalogue) << catalogue.error().message;
  // The paper compares TensorFlow.js, ConvNetJS, Keras.js, WebDNN, brain.js, synaptic and Mind.
  EXPECT_EQ(std::ranges::count_if(catalogue->subjects, &Subject::paper), 7);
  for (const char* task : {"probe", "empty", "save", "train", "infer"})
    EXPECT_TRUE(catalogue->task(task)) << task;
}

}  // namespace
}  // namespace fjord::study
