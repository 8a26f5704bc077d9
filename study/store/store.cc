#include "store/store.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "store/database.h"
#include "store/schema.sql.h"

namespace fjord::study {

namespace {

constexpr int64_t kSchemaVersion = 2;

// ---- between C++ and the columns

/// Text that both databases keep: UTF-8 without a zero byte. What a native program or a page says
/// may have other bytes; each becomes U+FFFD.
std::string clean(const std::string& text) {
  constexpr auto kReplace = Json::error_handler_t::replace;
  Json utf8 = Json::parse(Json(text).dump(-1, ' ', false, kReplace), nullptr, false);
  std::string out;
  for (char c : utf8.get_ref<const std::string&>()) {
    if (c) out += c;
    if (!c) out += "\uFFFD";
  }
  return out;
}

std::string jsonText(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string text(const Value& value) {
  auto* text = std::get_if<std::string>(&value);
  return text ? *text : std::string();
}

int64_t integer(const Value& value) {
  auto* integer = std::get_if<int64_t>(&value);
  return integer ? *integer : 0;
}

/// NULL is not a number.
double real(const Value& value) {
  if (auto* integer = std::get_if<int64_t>(&value)) return static_cast<double>(*integer);
  auto* real = std::get_if<double>(&value);
  return real ? *real : std::numeric_limits<double>::quiet_NaN();
}

Value numberOrNull(double x) { return std::isnan(x) ? Value() : Value(x); }

/// NULL is null.
Result<Json> json(const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return Json();
  return parseJson(text(value));
}

Result<Outcome> outcomeOf(const std::string& name) {
  for (size_t i = 0; i < std::size(kOutcomeNames); ++i)
    if (name == kOutcomeNames[i]) return static_cast<Outcome>(i);
  return fail("there is no outcome \"", name, "\"");
}

// ---- the schema

Status makeTables(Database& database) {
  return database.transaction([&] -> Status {
    // Another program may have made them since we looked.
    FJORD_TRY(auto names, database.tables());
    if (!names.empty()) return {};
    FJORD_CHECK(database.script(std::string(kSchemaSql)));
    return database.insert("study (schema_version)", {{kSchemaVersion}});
  });
}

Status checkTables(Database& database) {
  FJORD_TRY(auto names, database.tables());
  if (names.empty()) {
    FJORD_CHECK(makeTables(database));
    FJORD_TRY(names, database.tables());
  }
  if (std::ranges::find(names, "study") == names.end())
    return fail("it holds something else (a table \"", names.front(),
                "\"); give the lab a database of its own");
  FJORD_TRY(auto rows, database.rows("SELECT schema_version FROM study"));
  int64_t version = rows.size() == 1 ? integer(rows[0][0]) : 0;
  if (version == kSchemaVersion) return {};
  return fail("its tables have version ", version, " and this program knows ", kSchemaVersion, "; ",
              version > kSchemaVersion ? "use the newer fjord-study that made it"
                                       : "use the older fjord-study that made it",
              ", or give another place");
}

// ---- rows

/// The id of a machine, which is added where there is none like it.
Result<int64_t> machineId(Database& database, const Machine& m) {
  Row row = {clean(m.name), clean(m.cpu),    int64_t{m.cores},
             m.memory,      clean(m.system), clean(m.gpu)};
  FJORD_TRY(auto same, database.rows("SELECT id FROM machine WHERE name = $1 AND cpu = $2 AND "
                                     "cores = $3 AND memory = $4 AND system = $5 AND gpu = $6",
                                     row));
  if (!same.empty()) return integer(same[0][0]);
  FJORD_TRY(
      auto added,
      database.rows("INSERT INTO machine (id, name, cpu, cores, memory, system, gpu) VALUES "
                    "((SELECT COALESCE(MAX(id), 0) + 1 FROM machine), $1, $2, $3, $4, $5, $6) "
                    "RETURNING id",
                    row));
  return integer(added[0][0]);
}

/// Whether a trial can be kept, before anything is written.
Status checkSamples(const TrialRow& row) {
  for (size_t i = 0; i < row.result.samples.size(); ++i) {
    const Sample& sample = row.result.samples[i];
    if (!std::isfinite(sample.value))
      return fail("trial ", row.trial.id, ", sample ", i, " (", sample.phase, ", ", sample.unit,
                  "): ", sample.value, " is not a finite number");
  }
  if (!std::isfinite(row.seconds) || std::isnan(row.result.correctness.tolerance))
    return fail("trial ", row.trial.id, ": its seconds or its tolerance is not a number");
  return {};
}

Status checkRun(Database& database, int64_t run) {
  FJORD_TRY(auto rows, database.rows("SELECT id FROM run WHERE id = $1", {run}));
  if (rows.empty()) return fail("there is no run ", run);
  return {};
}

constexpr const char* kTrialColumns =
    "run, id, round, subject, backend, task, family, depth, width, started, seconds, outcome, "
    "message, "
    "version, engine, checked, difference, tolerance, facts";

Row rowOf(const TrialRow& row) {
  const auto& [run, trial, started, seconds, result] = row;
  return {run,
          trial.id,
          int64_t{trial.round},
          clean(trial.cell.subject),
          clean(trial.cell.backend),
          clean(trial.cell.task),
          clean(trial.cell.workload.depth ? trial.cell.workload.family : ""),
          int64_t{trial.cell.workload.depth},
          int64_t{trial.cell.workload.width},
          clean(started),
          seconds,
          std::string(kOutcomeNames[static_cast<size_t>(result.outcome)]),
          clean(result.message),
          clean(result.version),
          clean(result.engine),
          clean(result.correctness.kind),
          numberOrNull(result.correctness.difference),
          result.correctness.tolerance,
          result.facts.is_null() ? Value() : Value(jsonText(result.facts))};
}

/// `columns` as kTrialColumns.
Result<TrialRow> trialOf(const Row& columns) {
  TrialRow row;
  auto next = columns.begin();
  row.run = integer(*next++);
  row.trial.id = integer(*next++);
  row.trial.round = static_cast<int>(integer(*next++));
  Cell& cell = row.trial.cell;
  for (std::string* name : {&cell.subject, &cell.backend, &cell.task}) *name = text(*next++);
  // A task without a network has no family; a Workload that is none has its default.
  if (std::string family = text(*next++); !family.empty()) cell.workload.family = family;
  for (int* side : {&cell.workload.depth, &cell.workload.width})
    *side = static_cast<int>(integer(*next++));
  row.started = text(*next++);
  row.seconds = real(*next++);
  auto outcome = outcomeOf(text(*next++));
  TrialResult& result = row.result;
  for (std::string* said :
       {&result.message, &result.version, &result.engine, &result.correctness.kind})
    *said = text(*next++);
  result.correctness.difference = real(*next++);
  result.correctness.tolerance = real(*next++);
  auto facts = json(*next++);
  if (!outcome || !facts)
    return fail("run ", row.run, ", trial ", row.trial.id, ": ",
                outcome ? facts.error().message : outcome.error().message);
  result.outcome = *outcome;
  result.facts = std::move(*facts);
  return row;
}

std::vector<Row> sampleRows(const TrialRow& row) {
  std::vector<Row> rows;
  rows.reserve(row.result.samples.size());
  for (const Sample& sample : row.result.samples)
    rows.push_back({row.run, row.trial.id, static_cast<int64_t>(rows.size()), clean(sample.phase),
                    clean(sample.unit), sample.value});
  return rows;
}

/// Columns as in Store::runs.
Result<Run> runOf(const Row& columns) {
  Run run;
  run.id = integer(columns[0]);
  run.started = text(columns[1]);
  run.ended = text(columns[2]);
  run.browser = text(columns[3]);
  std::string seed = text(columns[4]);
  auto [end, error] = std::from_chars(seed.data(), seed.data() + seed.size(), run.seed);
  if (error != std::errc() || end != seed.data() + seed.size())
    return fail("run ", run.id, ": its seed \"", seed, "\" is not a number");
  auto options = json(columns[5]);
  if (!options) return fail("run ", run.id, ": its options are ", options.error().message);
  run.options = std::move(*options);
  run.machine = {.name = text(columns[6]),
                 .cpu = text(columns[7]),
                 .cores = static_cast<int>(integer(columns[8])),
                 .memory = integer(columns[9]),
                 .system = text(columns[10]),
                 .gpu = text(columns[11])};
  return run;
}

}  // namespace

// ---- the store

Store::Store(std::unique_ptr<Database> database) : database_(std::move(database)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const std::string& where) {
  bool server = where.starts_with("postgresql://") || where.starts_with("postgres://");
  if (!server && where.find("://") != std::string::npos)
    return fail(where.substr(0, where.find("://")),
                ":// is no address of a store; give postgresql://user@host/name or a file's path");
  FJORD_TRY(auto database, server ? openPostgresql(where) : openSqlite(where));
  // An address may hold a password.
  if (Status ready = checkTables(*database); !ready)
    return fail(server ? "the PostgreSQL database" : where, ": ", ready.error().message);
  return Store(std::move(database));
}

Result<int64_t> Store::addRun(const Run& run) {
  int64_t id = 0;
  FJORD_CHECK(database_->transaction([&] -> Status {
    FJORD_TRY(int64_t machine, machineId(*database_, run.machine));
    // One writer at a time: nobody else takes the same number.
    FJORD_TRY(
        auto rows,
        database_->rows("INSERT INTO run (id, machine, started, ended, browser, seed, options) "
                        "VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM run), "
                        "$1, $2, $3, $4, $5, $6) RETURNING id",
                        {machine, clean(run.started), clean(run.ended), clean(run.browser),
                         cat(run.seed), jsonText(run.options)}));
    id = integer(rows[0][0]);
    return {};
  }));
  return id;
}

Status Store::endRun(int64_t run, const std::string& ended) {
  return database_->transaction([&] -> Status {
    FJORD_CHECK(checkRun(*database_, run));
    return database_->query("UPDATE run SET ended = $2 WHERE id = $1", {run, clean(ended)},
                            [](Row&) {});
  });
}

Status Store::addTrial(const TrialRow& row) {
  FJORD_CHECK(checkSamples(row));
  return database_->transaction([&] -> Status {
    FJORD_CHECK(checkRun(*database_, row.run));
    FJORD_TRY(auto there, database_->rows("SELECT id FROM trial WHERE run = $1 AND id = $2",
                                          {row.run, row.trial.id}));
    if (!there.empty())
      return fail("run ", row.run, " has a trial ", row.trial.id, " already; each is kept once");
    FJORD_CHECK(database_->insert(cat("trial (", kTrialColumns, ")"), {rowOf(row)}));
    return database_->insert("sample (run, trial, position, phase, unit, value)", sampleRows(row));
  });
}

Result<std::vector<Run>> Store::runs() {
  FJORD_TRY(auto rows,
            database_->rows(
                "SELECT run.id, started, ended, browser, seed, options, name, cpu, cores, memory, "
                "system, gpu FROM run JOIN machine ON machine.id = run.machine ORDER BY run.id"));
  std::vector<Run> runs;
  for (const Row& columns : rows) {
    FJORD_TRY(Run run, runOf(columns));
    runs.push_back(std::move(run));
  }
  return runs;
}

Result<std::vector<TrialRow>> Store::trials(int64_t run) {
  FJORD_CHECK(checkRun(*database_, run));
  FJORD_TRY(auto rows,
            database_->rows(cat("SELECT ", kTrialColumns, " FROM trial WHERE run = $1 ORDER BY id"),
                            {run}));
  std::vector<TrialRow> trials;
  for (const Row& columns : rows) {
    FJORD_TRY(TrialRow trial, trialOf(columns));
    trials.push_back(std::move(trial));
  }
  // Both are in the order of trials. A trial that was added between the two queries has samples
  // here and is not told of.
  auto trial = trials.begin();
  FJORD_CHECK(database_->query(
      "SELECT trial, phase, unit, value FROM sample WHERE run = $1 ORDER BY trial, position", {run},
      [&](Row& columns) {
        while (trial != trials.end() && trial->trial.id < integer(columns[0])) ++trial;
        if (trial == trials.end() || trial->trial.id != integer(columns[0])) return;
        trial->result.samples.push_back({text(columns[1]), text(columns[2]), real(columns[3])});
      }));
  return trials;
}

}  // namespace fjord::study
