#include "plan/plan.h"

#include <algorithm>
#include <set>

#include "base/random.h"
#include "plan/folders.h"

namespace fjord::study {

namespace {

/// "tfjs/wasm" in two; the backend is "" for "tfjs".
struct Selected {
  std::string subject, backend;

  explicit Selected(const std::string& text)
      : subject(text.substr(0, text.find('/'))),
        backend(text.find('/') == std::string::npos ? "" : text.substr(text.find('/') + 1)) {}
};

Status check(const Catalogue& catalogue, const PlanOptions& options) {
  if (options.rounds < 1) return fail("rounds: ", options.rounds, "; at least 1 is needed");
  for (const std::string& text : options.subjects) {
    Selected selected(text);
    const Subject* subject = catalogue.subject(selected.subject);
    if (!subject)
      return fail("there is no subject \"", selected.subject, "\"; there are ",
                  namesOf(catalogue.subjects));
    auto same = [&](const Backend& b) { return b.name == selected.backend; };
    if (text.contains('/') && std::ranges::none_of(subject->backends, same))
      return fail(subject->name, " has no backend \"", selected.backend, "\"; there are ",
                  namesOf(subject->backends));
  }
  for (const std::string& task : options.tasks) {
    if (!catalogue.task(task))
      return fail("there is no task \"", task, "\"; there are ", namesOf(catalogue.tasks));
  }
  return {};
}

bool contains(const auto& list, const auto& value) {
  return std::ranges::find(list, value) != list.end();
}

class Planner {
 public:
  Planner(const Catalogue& catalogue, const PlanOptions& options)
      : catalogue_(catalogue),
        options_(options),
        workloads_(options.workloads.empty() ? catalogue.workloadsOf("dense") : options.workloads) {
  }

  Plan plan() {
    for (const Task& task : catalogue_.tasks) {
      if (!wanted(task)) continue;
      for (const Subject& subject : catalogue_.subjects) {
        if (!task.perSubject && subject.native) continue;
        if (add(subject, task) && !task.perSubject) break;
      }
    }
    append(first_, 0);
    for (int round = 0; round < options_.rounds; ++round) append(each_, round);
    return std::move(plan_);
  }

 private:
  bool wanted(const Task& task) const {
    return options_.tasks.empty() || contains(options_.tasks, task.name);
  }

  /// For a task once a subject any of its backends will do.
  bool wanted(const Subject& subject, const std::string& backend, const Task& task) const {
    return options_.subjects.empty() ||
           std::ranges::any_of(options_.subjects, [&](const std::string& text) {
             Selected selected(text);
             return selected.subject == subject.name &&
                    (selected.backend.empty() || selected.backend == backend || !task.perBackend);
           });
  }

  /// False where none of its backends is wanted.
  bool add(const Subject& subject, const Task& task) {
    bool any = false;
    for (const Backend& backend : subject.backends) {
      if (!wanted(subject, backend.name, task)) continue;
      any = true;
      add(subject, backend, task);
      if (!task.perBackend) break;
    }
    if (!any || !contains(task.phases, "load")) return any;
    const Subject& owner = subject.models.empty() ? subject : *catalogue_.subject(subject.models);
    for (const Task& needed : catalogue_.tasks) {
      if (!needed.first || !contains(needed.phases, "file")) continue;
      for (const Backend& backend : owner.backends) {
        add(owner, backend, needed);
        if (!needed.perBackend) break;
      }
    }
    return true;
  }

  void add(const Subject& subject, const Backend& backend, const Task& task) {
    std::set<Cell>& cells = task.first ? first_ : each_;
    if (!task.sized) cells.insert({subject.name, backend.name, task.name, {}});
    for (size_t i = 0; task.sized && i < workloads_.size(); ++i)
      cells.insert({subject.name, backend.name, task.name, workloads_[i]});
  }

  /// Shuffled (Fisher and Yates), each round by its own stream.
  void append(const std::set<Cell>& cells, int round) {
    std::vector<Cell> order(cells.begin(), cells.end());
    Random random(options_.seed, static_cast<uint32_t>(round));
    for (size_t i = order.size(); i > 1; --i)
      std::swap(order[i - 1], order[random.below(static_cast<uint32_t>(i))]);
    for (Cell& cell : order) {
      auto id = static_cast<int64_t>(plan_.trials.size()) + 1;
      plan_.trials.push_back({id, round, std::move(cell)});
    }
  }

  const Catalogue& catalogue_;
  const PlanOptions& options_;
  std::vector<Workload> workloads_;
  std::set<Cell> first_, each_;  // sorted: the order depends on the seed alone
  Plan plan_;
};

}  // namespace

Result<Plan> makePlan(const Catalogue& catalogue, const PlanOptions& options) {
  FJORD_CHECK(check(catalogue, options));
  return Planner(catalogue, options).plan();
}

Result<PlanOptions> planOptionsOf(const Catalogue& catalogue, const Run& run) {
  PlanOptions options{.seed = run.seed};
  for (const Json& name : member(run.options, "workloads")) {
    FJORD_TRY(std::vector<Workload> parsed,
              parseWorkloads(catalogue.families,
                             name.is_string() ? name.get<std::string>() : name.dump()));
    options.workloads.push_back(parsed.front());
  }
  for (auto [name, list] : {std::pair("subjects", &options.subjects), {"tasks", &options.tasks}}) {
    for (const Json& entry : member(run.options, name)) {
      if (entry.is_string()) list->push_back(entry.get<std::string>());
    }
  }
  options.rounds = intOr(run.options, "rounds", options.rounds);
  return options;
}

std::vector<Trial> remaining(const Plan& plan, const std::vector<TrialRow>& done) {
  std::set<std::pair<Cell, int>> seen;
  int64_t last = 0;
  for (const TrialRow& row : done) {
    seen.insert({row.trial.cell, row.trial.round});
    last = std::max(last, row.trial.id);
  }
  std::vector<Trial> left;
  for (const Trial& trial : plan.trials) {
    if (seen.contains({trial.cell, trial.round})) continue;
    left.push_back(trial);
    left.back().id = ++last;
  }
  return left;
}

}  // namespace fjord::study
