// SQLite and PostgreSQL behind one small interface: what the store needs of a database, in SQL that
// both understand.
//
//   Result<std::unique_ptr<Database>> database = openSqlite("study.sqlite");
//   Status kept = (*database)->transaction([&] { return (*database)->insert("t (x)", {{"a"}}); });
//   Result<std::vector<Row>> rows = (*database)->rows("SELECT x FROM t WHERE x < $1", {"b"});
//
// Parameters are $1, $2, .. in both. Errors name the database and what to do. One thread at a time
// may use it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"

namespace fjord::study {

/// NULL, or a value; integers are BIGINT at most, real numbers are kept to the bit. Text is UTF-8
/// without a zero byte.
using Value = std::variant<std::monostate, int64_t, double, std::string>;
using Row = std::vector<Value>;

/// How long one writer waits for another.
inline constexpr int kBusySeconds = 60;

class Database {
 public:
  virtual ~Database() = default;

  /// Runs one statement; gives `each` the rows of its result. A row's values may be moved away.
  virtual Status query(const std::string& sql, const Row& parameters,
                       const std::function<void(Row&)>& each) = 0;
  /// Runs statements without parameters and without results.
  virtual Status script(const std::string& sql) = 0;
  /// Adds many rows, all of one length, fast: `into` is "table (column, ..)".
  virtual Status insert(const std::string& into, const std::vector<Row>& rows) = 0;
  /// The names of the tables that are there, whoever made them.
  virtual Result<std::vector<std::string>> tables() = 0;

  /// The rows of a result, where they are few.
  Result<std::vector<Row>> rows(const std::string& sql, const Row& parameters = {}) {
    std::vector<Row> all;
    FJORD_CHECK(query(sql, parameters, [&](Row& row) { all.push_back(std::move(row)); }));
    return all;
  }

  /// Keeps all that `body` writes; where it fails, nothing. There is one writer at a time: others
  /// wait, here or in other programs, so what `body` reads stays true until it is done. Must not be
  /// nested.
  Status transaction(const std::function<Status()>& body) {
    FJORD_CHECK(begin());
    Status done = body();
    if (done) done = script("COMMIT");
    // A failed rollback leaves nothing behind: the database has ended the transaction itself, or
    // lost us.
    if (!done) (void)script("ROLLBACK");
    return done;
  }

 protected:
  /// Begins a transaction and becomes the one writer.
  virtual Status begin() = 0;
};

/// A file, made where there is none.
Result<std::unique_ptr<Database>> openSqlite(const std::string& path);
/// postgresql://user@host/name
Result<std::unique_ptr<Database>> openPostgresql(const std::string& address);

}  // namespace fjord::study
