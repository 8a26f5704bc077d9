#include "plan/plan.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/random.h"

namespace fjord::study {

namespace {

/// "tfjs/wasm" in two; the backend is "" for "tfjs".
struct Selected {
  std::string subject, backend;

  explicit Selected(const std::string& text)
      : subject(text.substr(0, text.find('/'))),
        backend(text.find('/') == std::string::npos ? "" : text.substr(text.find('/') + 1)) {}
};

std::string namesOf(const auto& list) {
  std::string out;
  for (const auto& entry : list) out += cat(out.empty() ? "" : ", ", entry.name);
  return out.empty() ? "none" : out;
}

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
        sizes_(options.sizes.empty() ? paperSizes() : options.sizes) {}

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
    for (size_t i = 0; task.sized && i < sizes_.size(); ++i)
      cells.insert({subject.name, backend.name, task.name, sizes_[i]});
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
  std::vector<Size> sizes_;
  std::set<Cell> first_, each_;  // sorted: the order depends on the seed alone
  Plan plan_;
};

std::optional<int> numberIn(std::string_view text, int most) {
  int number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  bool good = error == std::errc() && end == text.data() + text.size() && number >= 1 &&
              number <= most && text[0] != '0';
  return good ? std::optional(number) : std::nullopt;
}

Result<Size> parseSize(std::string_view text) {
  size_t x = text.find('x');
  if (x != std::string_view::npos) {
    auto depth = numberIn(text.substr(0, x), kMaxDepth);
    auto width = numberIn(text.substr(x + 1), kMaxWidth);
    if (depth && width) return Size{*depth, *width};
  }
  return fail("size \"", text,
              "\": is to be like 2x128, for two hidden layers of 128 units; at most ", kMaxDepth,
              "x", kMaxWidth);
}

}  // namespace

Result<Plan> makePlan(const Catalogue& catalogue, const PlanOptions& options) {
  FJORD_CHECK(check(catalogue, options));
  return Planner(catalogue, options).plan();
}

Result<PlanOptions> planOptionsOf(const Run& run) {
  PlanOptions options{.seed = run.seed};
  for (const Json& size : member(run.options, "sizes")) {
    FJORD_TRY(std::vector<Size> parsed,
              parseSizes(size.is_string() ? size.get<std::string>() : size.dump()));
    options.sizes.push_back(parsed.front());
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

std::vector<Size> paperSizes() {
  std::vector<Size> sizes;
  for (int depth : {1, 2, 4, 8}) {
    for (int width : {64, 128, 256}) sizes.push_back({depth, width});
  }
  return sizes;
}

Result<std::vector<Size>> parseSizes(const std::string& text) {
  std::vector<Size> sizes;
  for (size_t at = 0; at <= text.size();) {
    size_t comma = std::min(text.find(',', at), text.size());
    FJORD_TRY(Size size, parseSize(std::string_view(text).substr(at, comma - at)));
    if (contains(sizes, size)) return fail("size ", size.name(), " is there twice");
    sizes.push_back(size);
    at = comma + 1;
  }
  return sizes;
}

}  // namespace fjord::study
