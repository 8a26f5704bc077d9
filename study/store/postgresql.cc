#include <libpq-fe.h>

#include <charconv>

#include "store/database.h"

namespace fjord::study {
namespace {

using Answer = std::unique_ptr<PGresult, decltype(&PQclear)>;

// Types of PostgreSQL, as its catalogue pg_type numbers them.
constexpr Oid kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25, kFloat4 = 700, kFloat8 = 701;

/// What libpq says, on one line.
std::string oneLine(const char* message) {
  std::string out;
  for (const char* c = message; *c; ++c) {
    bool space = *c == '\n' || *c == '\t' || *c == ' ';
    if (!space) out += *c;
    if (space && !out.empty() && out.back() != ' ') out += ' ';
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

/// As PostgreSQL reads it; NULL has no text.
std::string textOf(const Value& value) {
  if (auto* integer = std::get_if<int64_t>(&value)) return cat(*integer);
  if (auto* real = std::get_if<double>(&value)) return cat(*real);
  if (auto* text = std::get_if<std::string>(&value)) return *text;
  return {};
}

Oid typeOf(const Value& value) {
  if (std::holds_alternative<int64_t>(value)) return kInt8;
  if (std::holds_alternative<double>(value)) return kFloat8;
  return kText;
}

template <class Number>
Number parse(std::string_view text) {
  Number number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Value valueOf(const PGresult* answer, int row, int column) {
  if (PQgetisnull(answer, row, column)) return std::monostate();
  std::string_view text(PQgetvalue(answer, row, column),
                        static_cast<size_t>(PQgetlength(answer, row, column)));
  switch (PQftype(answer, column)) {
    case kInt2:
    case kInt4:
    case kInt8:
      return parse<int64_t>(text);
    case kFloat4:
    case kFloat8:
      return parse<double>(text);
    default:
      return std::string(text);
  }
}

/// A value in COPY's text format: \N for NULL, and what would end a value or a row escaped.
void appendCopied(std::string& out, const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) {
    out += "\\N";
    return;
  }
  for (char c : textOf(value)) {
    constexpr std::string_view kSpecial = "\\\t\n\r", kEscapes = "\\tnr";
    if (size_t i = kSpecial.find(c); i != std::string_view::npos) {
      out += '\\';
      out += kEscapes[i];
    } else {
      out += c;
    }
  }
}

class Postgresql final : public Database {
 public:
  explicit Postgresql(PGconn* connection) : connection_(connection, PQfinish) {}

  Status query(const std::string& sql, const Row& parameters,
               const std::function<void(Row&)>& each) override {
    std::vector<std::string> texts;
    std::vector<Oid> types;
    for (const Value& value : parameters) {
      texts.push_back(textOf(value));
      types.push_back(typeOf(value));
    }
    std::vector<const char*> values;
    for (size_t i = 0; i < texts.size(); ++i)
      values.push_back(std::holds_alternative<std::monostate>(parameters[i]) ? nullptr
                                                                             : texts[i].c_str());
    Answer answer(PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()),
                               types.data(), values.data(), nullptr, nullptr, 0),
                  PQclear);
    FJORD_CHECK(succeeded(answer));
    for (int row = 0; row < PQntuples(answer.get()); ++row) {
      Row out(static_cast<size_t>(PQnfields(answer.get())));
      for (size_t i = 0; i < out.size(); ++i)
        out[i] = valueOf(answer.get(), row, static_cast<int>(i));
      each(out);
    }
    return {};
  }

  Status script(const std::string& sql) override {
    return succeeded(Answer(PQexec(connection_.get(), sql.c_str()), PQclear));
  }

  // COPY is how PostgreSQL takes many rows: one statement and no answer between them.
  Status insert(const std::string& into, const std::vector<Row>& rows) override {
    std::string lines;
    for (const Row& row : rows) {
      for (size_t i = 0; i < row.size(); ++i) {
        if (i) lines += '\t';
        appendCopied(lines, row[i]);
      }
      lines += '\n';
    }
    PGconn* connection = connection_.get();
    Answer begun(PQexec(connection, cat("COPY ", into, " FROM STDIN").c_str()), PQclear);
    if (PQresultStatus(begun.get()) != PGRES_COPY_IN) return error();
    if (PQputCopyData(connection, lines.data(), static_cast<int>(lines.size())) != 1 ||
        PQputCopyEnd(connection, nullptr) != 1)
      return error();
    Status done;
    while (PGresult* next = PQgetResult(connection)) {
      Status status = succeeded(Answer(next, PQclear));
      if (done) done = status;
    }
    return done;
  }

  Result<std::vector<std::string>> tables() override {
    std::vector<std::string> names;
    FJORD_CHECK(
        query("SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()",
              {}, [&](Row& row) { names.push_back(std::get<std::string>(row[0])); }));
    return names;
  }

  Status configure() {
    // Numbers are written so that they read back to the bit; whoever holds a lock and is gone is
    // let go.
    return script(cat("SET extra_float_digits = 1; SET lock_timeout = '", kBusySeconds,
                      "s'; SET idle_in_transaction_session_timeout = '", kBusySeconds, "s'"));
  }

  bool connected() const { return PQstatus(connection_.get()) == CONNECTION_OK; }

  std::unexpected<Error> error() const {
    return fail("PostgreSQL: ", oneLine(PQerrorMessage(connection_.get())));
  }

 protected:
  Status begin() override {
    Status begun = script("BEGIN");
    // A connection is lost where the server was restarted, for one; nothing has begun, so a new one
    // will do.
    if (!begun && !connected()) {
      PQreset(connection_.get());
      if (!connected()) return error();
      FJORD_CHECK(configure());
      begun = script("BEGIN");
    }
    FJORD_CHECK(begun);
    // The writers of all machines queue here, as SQLite's do at its file; the transaction's end
    // lets the next one in. The number is any that others will not use: "fjord" in ASCII.
    Status locked = query("SELECT pg_advisory_xact_lock(439872352868)", {}, [](Row&) {});
    if (!locked) (void)script("ROLLBACK");
    return locked;
  }

 private:
  Status succeeded(const Answer& answer) const {
    ExecStatusType status = PQresultStatus(answer.get());
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return {};
    return error();
  }

  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

}  // namespace

Result<std::unique_ptr<Database>> openPostgresql(const std::string& address) {
  // Later words win, so an address may have its own timeouts, but not another encoding. Without
  // timeouts a host that is gone would hold the lab for a quarter of an hour.
  const char* words[] = {"connect_timeout",
                         "tcp_user_timeout",
                         "keepalives_idle",
                         "fallback_application_name",
                         "dbname",
                         "client_encoding",
                         nullptr};
  const char* values[] = {"10", "30000", "30", "fjord-study", address.c_str(), "UTF8", nullptr};
  auto database = std::make_unique<Postgresql>(PQconnectdbParams(words, values, 1));
  if (!database->connected())
    return fail(
        database->error().error().message,
        "; check the address, that the server runs and that this machine may connect to it, or "
        "keep the results in a file, such as study.sqlite");
  FJORD_CHECK(database->configure());
  return database;
}

}  // namespace fjord::study
