#include <sqlite3.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "store/database.h"

namespace fjord::study {
namespace {

using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

/// What to do about an error, by its primary code.
const char* adviceOn(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "; make room on its disk and go on";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "; another program writes to it all the time: close it and go on";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return "; give a file that you may write, in a folder that you may write";
    case SQLITE_NOTADB:
      return "; give the path of a file that the lab made, or of one that is not there yet";
    case SQLITE_CORRUPT:
      return "; it is damaged: `sqlite3 FILE .recover` prints what can still be read";
    case SQLITE_IOERR:
      return "; its disk fails or is full";
    default:
      return "";
  }
}

class Sqlite final : public Database {
 public:
  Sqlite(std::string path, sqlite3* connection)
      : path_(std::move(path)), connection_(connection, sqlite3_close) {}

  Status query(const std::string& sql, const Row& parameters,
               const std::function<void(Row&)>& each) override {
    FJORD_TRY(Statement statement, prepare(sql));
    for (size_t i = 0; i < parameters.size(); ++i) {
      int index = sqlite3_bind_parameter_index(statement.get(), cat('$', i + 1).c_str());
      FJORD_CHECK(bind(statement.get(), index, parameters[i]));
    }
    int code;
    while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
      Row row(static_cast<size_t>(sqlite3_column_count(statement.get())));
      for (size_t i = 0; i < row.size(); ++i) row[i] = column(statement.get(), static_cast<int>(i));
      each(row);
    }
    return code == SQLITE_DONE ? Status() : error();
  }

  Status script(const std::string& sql) override {
    return sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK
               ? Status()
               : error();
  }

  Status insert(const std::string& into, const std::vector<Row>& rows) override {
    if (rows.empty()) return {};
    std::string marks = "?";
    for (size_t i = 1; i < rows[0].size(); ++i) marks += ", ?";
    FJORD_TRY(Statement statement, prepare(cat("INSERT INTO ", into, " VALUES (", marks, ")")));
    for (const Row& row : rows) {
      for (size_t i = 0; i < row.size(); ++i)
        FJORD_CHECK(bind(statement.get(), static_cast<int>(i + 1), row[i]));
      if (sqlite3_step(statement.get()) != SQLITE_DONE) return error();
      sqlite3_reset(statement.get());
    }
    return {};
  }

  Result<std::vector<std::string>> tables() override {
    std::vector<std::string> names;
    FJORD_CHECK(query("SELECT name FROM sqlite_schema WHERE type = 'table'", {}, [&](Row& row) {
      if (auto* name = std::get_if<std::string>(&row[0])) names.push_back(std::move(*name));
    }));
    return names;
  }

  Status configure() {
    sqlite3_extended_result_codes(connection_.get(), 1);
    sqlite3_busy_timeout(connection_.get(), kBusySeconds * 1000);
    FJORD_CHECK(keepLog());
    // FULL flushes each commit to the disk, so it survives a power cut, too; that costs
    // milliseconds, and a trial seconds.
    return script("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
  }

  /// What the connection failed with last.
  std::unexpected<Error> error() const {
    return fail(path_, ": ", sqlite3_errmsg(connection_.get()),
                adviceOn(sqlite3_errcode(connection_.get())));
  }

 protected:
  // Takes the lock of writers at once. A transaction that read first and wrote later could only
  // fail where another wrote in between.
  Status begin() override { return script("BEGIN IMMEDIATE"); }

 private:
  Result<Statement> prepare(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    int code = sqlite3_prepare_v2(connection_.get(), sql.c_str(), static_cast<int>(sql.size() + 1),
                                  &statement, nullptr);
    if (code != SQLITE_OK) return error();
    return Statement(statement, sqlite3_finalize);
  }

  Status bind(sqlite3_stmt* statement, int index, const Value& value) {
    int code = SQLITE_OK;
    if (auto* integer = std::get_if<int64_t>(&value)) {
      code = sqlite3_bind_int64(statement, index, *integer);
    } else if (auto* real = std::get_if<double>(&value)) {
      code = sqlite3_bind_double(statement, index, *real);
    } else if (auto* text = std::get_if<std::string>(&value)) {
      code = sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_TRANSIENT,
                                 SQLITE_UTF8);
    } else {
      code = sqlite3_bind_null(statement, index);
    }
    return code == SQLITE_OK ? Status() : error();
  }

  /// A write-ahead log: readers do not stop the writer, and what was committed survives a killed
  /// program.
  ///
  /// Where several open a new file at once, each holds the lock of readers while it asks for the
  /// writer's. SQLite then waits for none of them and answers at once that it is busy: the waiting
  /// is ours.
  Status keepLog() {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(kBusySeconds);
    for (;;) {
      Status kept = script("PRAGMA journal_mode = WAL");
      bool busy = (sqlite3_errcode(connection_.get()) & 0xff) == SQLITE_BUSY;
      if (kept || !busy || std::chrono::steady_clock::now() > end) return kept;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  static Value column(sqlite3_stmt* statement, int i) {
    switch (sqlite3_column_type(statement, i)) {
      case SQLITE_INTEGER:
        return sqlite3_column_int64(statement, i);
      case SQLITE_FLOAT:
        return sqlite3_column_double(statement, i);
      case SQLITE_NULL:
        return std::monostate();
      default: {
        // A text's address before its length: the other order may convert it in between.
        auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
        auto length = static_cast<size_t>(sqlite3_column_bytes(statement, i));
        return bytes ? std::string(bytes, length) : std::string();
      }
    }
  }

  std::string path_;
  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> connection_;
};

}  // namespace

Result<std::unique_ptr<Database>> openSqlite(const std::string& path) {
  if (path.empty()) return fail("the store has no name; give a file's path, such as study.sqlite");
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return fail(path, " is a folder; give a file's path, such as ",
                (std::filesystem::path(path) / "study.sqlite").string());
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder, ignored))
    return fail(path, ": there is no folder ", folder.string(), "; make it first");

  sqlite3* connection = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                             nullptr);
  auto database = std::make_unique<Sqlite>(path, connection);
  if (code != SQLITE_OK) return database->error();
  FJORD_CHECK(database->configure());
  return database;
}

}  // namespace fjord::study
