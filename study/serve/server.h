// The lab's HTTP server: the pages, the data that they ask for, and the small JSON API through
// which they report.
//
//   Desk desk = ..;                                            // what the API does: see below
//   Result<Server> server = Server::start({.folders = {..}}, desk);
//   session.go(server->url() + "/harness/run.html?trial=3");
//
// It listens on loopback unless told otherwise; beyond it every request needs the token that
// start() makes. All pages are cross-origin isolated (they may share memory between threads, and
// have exact clocks). What it is sent is checked before anything sees it: size, schema, ranges.
// Errors are JSON: {"error": {"status": 400, "message": "..", "at": "samples/3/value"}}.
// docs/study.md has the API.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/types.h"

namespace fjord::study {

/// Parameters of a request's query, decoded.
using Query = std::map<std::string, std::string>;

/// What the API does; all functions are there. They are called from the server's threads, several
/// at once. Nothing found (nullopt) is 404; an error of `create` is the sender's fault (400).
/// `phase`, `usage` and `result` are called only for a trial that `trial` finds, with what has been
/// checked, so an error of theirs is a conflict (409): the trial has its result already.
struct Desk {
  /// GET /api/subjects: the subjects and tasks, for the index page and the extension.
  std::function<Json()> subjects;
  /// POST /api/trials: a trial for a page that was opened by a link; gives it as GET /api/trials/ID
  /// does.
  std::function<Result<Json>(const Cell&)> create;
  /// GET /api/next: the next trial of a walk by an extension; null when there is none left.
  std::function<Json()> next;
  /// GET /api/trials/ID
  std::function<std::optional<Json>(int64_t id)> trial;
  /// POST /api/trials/ID/phase
  std::function<Status(int64_t id, const std::string& phase)> phase;
  /// POST /api/trials/ID/usage: what an extension has read during the steady phase.
  std::function<Status(int64_t id, const std::vector<Sample>&)> usage;
  /// POST /api/trials/ID/result
  std::function<Status(int64_t id, const TrialResult&)> result;
  /// GET /data/PATH?QUERY: bytes and their type.
  std::function<std::optional<std::pair<std::string, std::string>>(const std::string& path,
                                                                   const Query&)>
      data;
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  int port = 0;  // any free one
  /// Prefix of a path to a folder: {"/harness/": "../study/harness"}. The longest prefix that fits
  /// is taken; "/" gives its index.html. A path never leaves these folders: a link may lead from
  /// one into another, but not out of all.
  std::map<std::string, std::string> folders;
  /// Where PUT /files/SUBJECT/SIZE/NAME writes, and GET reads: the model files of the subjects.
  /// Made where it is missing; "" for none.
  std::string files;
  size_t largestJson = 1 << 20;  // bytes of a body
  size_t largestFile = 256 << 20;
  int threads = 2;
  /// How long a client may take for the head of a request, for 256 KiB of a body, to take 256 KiB
  /// of an answer; four times as long it may keep an idle connection.
  std::chrono::milliseconds patience = std::chrono::seconds(15);
  /// More at once are answered with 503. Fewer where the system allows fewer open files.
  int connections = 8192;
};

class Server {
 public:
  static Result<Server> start(const ServerOptions& options, Desk desk);
  Server(Server&&) noexcept;
  Server& operator=(Server&&) noexcept;
  /// Answers what is under way, for at most two seconds, then stops.
  ~Server();

  /// "http://127.0.0.1:41237", without a slash at its end.
  std::string url() const;
  /// What a request from elsewhere must carry, as ?token=.. (a cookie then keeps it) or
  /// Authorization: Bearer ..; "" on loopback.
  const std::string& token() const;

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fjord::study
