#include "plan/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace fjord::study {
namespace {

Subject subject(const std::string& name, const std::vector<std::string>& backends) {
  Subject s;
  s.name = s.title = name;
  for (const std::string& b : backends) s.backends.emplace_back().name = b;
  return s;
}

/// Two pages and a program that reads the files of one of them.
Catalogue catalogue() {
  Catalogue c;
  c.families = *readFamilies(FJORD_ROOT "/study");
  c.subjects = {subject("page", {"cpu", "gpu"}), subject("program", {"native"}),
                subject("web", {"wasm"})};
  c.subjects[1].models = "web";
  c.subjects[1].training = "none";
  c.tasks = {{.name = "infer", .title = "", .phases = {"load", "first", "steady"}},
             {.name = "probe", .title = "", .sized = false, .perBackend = false, .phases = {}},
             {.name = "save", .title = "", .perBackend = false, .first = true, .phases = {"file"}},
             {.name = "train", .title = "", .phases = {"build", "first", "steady"}}};
  return c;
}

Plan plan(const PlanOptions& options) { return *makePlan(catalogue(), options); }

std::vector<std::string> textsOf(const std::vector<Trial>& trials) {
  std::vector<std::string> out;
  for (const Trial& t : trials) {
    out.push_back(cat(t.round, " ", t.cell.subject, "/", t.cell.backend, " ", t.cell.task, " ",
                      t.cell.workload.size()));
  }
  return out;
}

std::vector<std::string> sorted(std::vector<std::string> texts) {
  std::ranges::sort(texts);
  return texts;
}

TEST(Plan, EveryCellOnceARound) {
  Plan p = plan({.workloads = {{1, 64}, {8, 256}}, .rounds = 3});
  std::map<Cell, std::multiset<int>> rounds;
  for (const Trial& t : p.trials) rounds[t.cell].insert(t.round);
  // Four backends, two sizes, two tasks; a probe of each subject; files of each subject and size.
  EXPECT_EQ(rounds.size(), 4u * 2 * 2 + 3 + 3 * 2);
  for (const auto& [cell, in] : rounds) {
    EXPECT_EQ(in, cell.task == "save" ? std::multiset<int>({0}) : std::multiset<int>({0, 1, 2}))
        << cell.subject << " " << cell.task;
  }
  for (size_t i = 0; i < p.trials.size(); ++i) {
    EXPECT_EQ(p.trials[i].id, static_cast<int64_t>(i) + 1);
    EXPECT_EQ(p.trials[i].cell.task == "save", i < 6);
    if (i > 0) EXPECT_LE(p.trials[i - 1].round, p.trials[i].round);
  }
}

TEST(Plan, TheHarnessIsMeasuredOnceARound) {
  Catalogue c = catalogue();
  c.subjects[1].native = true;
  c.tasks.push_back({.name = "empty",
                     .title = "",
                     .sized = false,
                     .perBackend = false,
                     .perSubject = false,
                     .phases = {"steady"}});
  auto empties = [&](const std::vector<std::string>& subjects) {
    std::vector<std::string> out;
    Plan p = *makePlan(c, {.workloads = {{1, 64}}, .subjects = subjects, .rounds = 2});
    for (const Trial& t : p.trials) {
      if (t.cell.task == "empty")
        out.push_back(cat(t.round, " ", t.cell.subject, "/", t.cell.backend));
    }
    return out;
  };
  EXPECT_EQ(empties({}), (std::vector<std::string>{"0 page/cpu", "1 page/cpu"}));
  EXPECT_EQ(empties({"program", "web"}), (std::vector<std::string>{"0 web/wasm", "1 web/wasm"}));
  // A program has no page.
  EXPECT_EQ(empties({"program"}), std::vector<std::string>());
}

TEST(Plan, TheWholeGrid) {
  // All of the paper's 12 sizes where none is named.
  EXPECT_EQ(plan({.rounds = 1}).trials.size(), 4u * 12 * 2 + 3 + 3 * 12);
}

TEST(Plan, TheOrderIsTheSeeds) {
  auto order = [](uint64_t seed) { return textsOf(plan({.rounds = 2, .seed = seed}).trials); };
  EXPECT_EQ(order(7), order(7));
  EXPECT_NE(order(7), order(8));
  EXPECT_EQ(sorted(order(7)), sorted(order(8)));
  // Two rounds have the same cells in another order.
  std::vector<Cell> rounds[2];
  for (const Trial& t : plan({.rounds = 2}).trials) {
    if (t.cell.task != "save") rounds[t.round].push_back(t.cell);
  }
  EXPECT_NE(rounds[0], rounds[1]);
  EXPECT_TRUE(std::ranges::is_permutation(rounds[0], rounds[1]));
  // And neither is the catalogue's.
  EXPECT_FALSE(std::ranges::is_sorted(rounds[0]) || std::ranges::is_sorted(rounds[1]));
}

TEST(Plan, Filters) {
  auto only = [](const PlanOptions& options) { return sorted(textsOf(plan(options).trials)); };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(only({{{1, 64}}, {"page"}, {"train"}, 1}),
            (Texts{"0 page/cpu train 1x64", "0 page/gpu train 1x64"}));
  EXPECT_EQ(only({{{1, 64}}, {"page/gpu"}, {"train"}, 1}), Texts{"0 page/gpu train 1x64"});
  EXPECT_EQ(only({{{1, 64}}, {"page/gpu", "page"}, {"train"}, 1}).size(), 2u);
  // What is asked once a subject is asked on its first backend, whichever was chosen.
  EXPECT_EQ(only({{{1, 64}}, {"page/gpu"}, {"probe"}, 1}), Texts{"0 page/cpu probe "});
  EXPECT_EQ(only({{{1, 64}, {1, 64}}, {"web"}, {"train"}, 1}), Texts{"0 web/wasm train 1x64"});
}

TEST(Plan, WhatIsLoadedIsSavedBefore) {
  Plan own =
      plan({.workloads = {{2, 64}}, .subjects = {"page/gpu"}, .tasks = {"infer"}, .rounds = 1});
  EXPECT_EQ(textsOf(own.trials),
            (std::vector<std::string>{"0 page/cpu save 2x64", "0 page/gpu infer 2x64"}));
  Plan read =
      plan({.workloads = {{2, 64}}, .subjects = {"program"}, .tasks = {"infer"}, .rounds = 1});
  EXPECT_EQ(textsOf(read.trials),
            (std::vector<std::string>{"0 web/wasm save 2x64", "0 program/native infer 2x64"}));
}

TEST(Plan, WhatIsUnsupportedIsInIt) {
  Plan p = plan({.workloads = {{1, 64}}, .subjects = {"program"}, .tasks = {"train"}, .rounds = 1});
  EXPECT_EQ(textsOf(p.trials), std::vector<std::string>{"0 program/native train 1x64"});
}

TEST(Plan, UnknownNames) {
  auto error = [](const PlanOptions& options) {
    auto p = makePlan(catalogue(), options);
    return p ? "none" : p.error().message;
  };
  EXPECT_EQ(error({.subjects = {"pages"}}),
            "there is no subject \"pages\"; there are page, program, web");
  EXPECT_EQ(error({.subjects = {"page", "web/cpu"}}), "web has no backend \"cpu\"; there are wasm");
  EXPECT_EQ(error({.subjects = {"web/"}}), "web has no backend \"\"; there are wasm");
  EXPECT_EQ(error({.tasks = {"run"}}),
            "there is no task \"run\"; there are infer, probe, save, train");
  EXPECT_EQ(error({.rounds = 0}), "rounds: 0; at least 1 is needed");
}

TEST(Plan, GoesOnAfterAnInterruption) {
  Plan p = plan({.workloads = {{1, 64}}, .rounds = 2, .seed = 3});
  std::vector<TrialRow> done;
  for (size_t i = 0; i < 5; ++i) done.emplace_back().trial = p.trials[i];
  std::vector<Trial> left = remaining(p, done);
  ASSERT_EQ(left.size(), p.trials.size() - 5);
  for (size_t i = 0; i < left.size(); ++i) {
    EXPECT_EQ(left[i].id, p.trials[i + 5].id);
    EXPECT_EQ(left[i].cell, p.trials[i + 5].cell);
    EXPECT_EQ(left[i].round, p.trials[i + 5].round);
  }
  EXPECT_EQ(remaining(p, {}).size(), p.trials.size());
  for (size_t i = 5; i < p.trials.size(); ++i) done.emplace_back().trial = p.trials[i];
  EXPECT_TRUE(remaining(p, done).empty());
}

TEST(Plan, NumbersGoOnFromTheStores) {
  // More rounds than before: what was measured keeps its numbers, nothing gets one of them.
  std::vector<TrialRow> done;
  for (const Trial& t : plan({.workloads = {{1, 64}}, .rounds = 1}).trials)
    done.emplace_back().trial = t;
  Plan more = plan({.workloads = {{1, 64}, {2, 64}}, .rounds = 2});
  std::vector<Trial> left = remaining(more, done);
  EXPECT_EQ(left.size(), more.trials.size() - done.size());
  for (size_t i = 0; i < left.size(); ++i)
    EXPECT_EQ(left[i].id, static_cast<int64_t>(done.size() + i) + 1);
}

}  // namespace
}  // namespace fjord::study
