#include "serve/connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/file_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <limits>

#include "serve/target.h"

namespace fjord::study {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::redirect_error;
using asio::use_awaitable;

namespace {

constexpr size_t kLargestHead = 32 << 10;
constexpr std::string_view kHeadEnd = "\r\n\r\n";
/// What is written or read within one deadline: a client has to take 256 KiB in the time that it
/// may be slow.
constexpr size_t kPiece = 256 << 10;
/// A connection between two requests may rest longer than a request may take.
constexpr int kRest = 4;
/// For a client to read the last answer before the connection is gone.
constexpr std::chrono::seconds kFarewell(1);

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

/// What to say to a client whose request cannot be read; nullopt where it cannot be told any more.
std::optional<Fault> faultOf(const beast::error_code& error) {
  if (error.category() != make_error_code(http::error::bad_method).category()) return {};
  if (error == http::error::header_limit)
    return Fault{431, cat("the head of a request has at most ", kLargestHead, " bytes"), ""};
  return Fault{400, cat("the request cannot be read: ", error.message()), ""};
}

Claim claimOf(const http::fields& fields, std::string_view token) {
  return {.host = view(fields[http::field::host]),
          .origin = view(fields[http::field::origin]),
          .fetchSite = view(fields["Sec-Fetch-Site"]),
          .fetchMode = view(fields["Sec-Fetch-Mode"]),
          .authorization = view(fields[http::field::authorization]),
          .cookie = view(fields[http::field::cookie]),
          .token = token};
}

/// What makes it unclear where the request ends, or to whom it goes.
std::optional<Fault> badFraming(const http::request_header<>& head) {
  if (head.count(http::field::transfer_encoding) > 0)
    return Fault{411, "a body needs a Content-Length here, not a Transfer-Encoding", ""};
  size_t hosts = head.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && head.version() >= 11))
    return Fault{400, "a request has one Host", ""};
  return {};
}

/// An answer of this status has no body.
bool isBare(int status) { return status == 204 || status == 304; }

}  // namespace

Connection::Connection(Socket socket, const Site& site)
    : site_(site), stream_(std::move(socket)), buffer_(kLargestHead) {}

void Connection::stop() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    if (self->reading_) self->stream_.close();
  });
}

Connection::Awaitable<void> Connection::serve() {
  auto self = shared_from_this();
  while (co_await serveOne() && !site_.stopping) continue;
  co_await hangUp();
}

Connection::Awaitable<void> Connection::turnAway() {
  auto self = shared_from_this();
  Answer answer;
  answer.reply = faultReply({503, "there are too many connections: try again later", ""});
  co_await send(answer, false, false);
  co_await hangUp();
}

/// Says that nothing more comes, and lets the client read what it got: closing at once while it
/// still sends would take the answer away from it.
Connection::Awaitable<void> Connection::hangUp() {
  beast::error_code error;
  stream_.socket().shutdown(Socket::shutdown_send, error);
  stream_.expires_after(kFarewell);
  std::array<char, 4096> rest;
  while (!error)
    co_await stream_.async_read_some(asio::buffer(rest), redirect_error(use_awaitable, error));
}

/// One request and its answer; whether another may follow.
Connection::Awaitable<bool> Connection::serveOne() {
  Head head;
  Answer answer;
  if (beast::error_code error = co_await readHead(head)) {
    std::optional<Fault> fault = faultOf(error);
    if (!fault) co_return false;
    answer.reply = faultReply(*fault);
    co_await send(answer, false, false);
    co_return false;
  }
  bool headAlone = head.get().method() == http::verb::head;
  bool keep = head.keep_alive();
  answer = co_await answerTo(head);
  keep = keep && answer.whole && !site_.stopping;
  co_return co_await send(answer, headAlone, keep) && keep;
}

/// Reads up to the empty line, and only then looks at it: Beast would take lines as they come,
/// without a limit on their number.
Connection::Awaitable<Connection::ErrorCode> Connection::readHead(Head& head) {
  beast::error_code error;
  auto text = [this] {
    return std::string_view(static_cast<const char*>(buffer_.data().data()), buffer_.size());
  };
  reading_ = true;
  stream_.expires_after(site_.options.patience * (buffer_.size() == 0 ? kRest : 1));
  size_t end = text().find(kHeadEnd);
  while (!error && end == std::string_view::npos) {
    size_t before = buffer_.size();
    auto room = buffer_.prepare(std::min(kLargestHead - before, size_t{4096}));
    size_t count = co_await stream_.async_read_some(room, redirect_error(use_awaitable, error));
    buffer_.commit(count);
    if (before == 0) stream_.expires_after(site_.options.patience);
    end = text().find(kHeadEnd, before < kHeadEnd.size() ? 0 : before - kHeadEnd.size());
    if (end == std::string_view::npos && buffer_.size() == kLargestHead)
      error = http::error::header_limit;
  }
  reading_ = false;
  if (error == asio::error::eof && buffer_.size() > 0) error = http::error::partial_message;
  if (error) co_return error;
  std::string_view raw = text().substr(0, end + kHeadEnd.size());
  // A line that goes on in the next one: long forbidden, and read in more than one way.
  if (raw.find("\r\n ") < end || raw.find("\r\n\t") < end) co_return http::error::bad_obs_fold;
  head.header_limit(2 * kLargestHead);
  // Its length is compared where it is known what it is for.
  head.body_limit(std::numeric_limits<uint64_t>::max());
  buffer_.consume(head.put(asio::buffer(raw), error));
  if (!error && !head.is_header_done()) error = http::error::partial_message;
  co_return error;
}

template <class Body>
Connection::Awaitable<std::optional<Fault>> Connection::readBody(http::request_parser<Body>& parser,
                                                                 uint64_t most) {
  uint64_t length = parser.content_length().value_or(0);
  if (length > most)
    co_return Fault{413, cat("a body has at most ", most, " bytes here, not ", length), ""};
  beast::error_code error;
  parser.body_limit(most);
  stream_.expires_after(site_.options.patience * (1 + length / kPiece));
  if (beast::iequals(parser.get()[http::field::expect], "100-continue"))
    co_await asio::async_write(stream_, asio::buffer("HTTP/1.1 100 Continue\r\n\r\n", 25),
                               redirect_error(use_awaitable, error));
  if (!error)
    co_await http::async_read(stream_, buffer_, parser, redirect_error(use_awaitable, error));
  if (!error) co_return std::nullopt;
  if (std::optional<Fault> fault = faultOf(error)) co_return fault;
  co_return writeFault(error.value());
}

/// PUT of a model file.
Connection::Awaitable<Reply> Connection::take(Head& head, std::string name, bool& whole) {
  Checked<Upload> upload = Upload::begin(site_.options.files, name);
  if (!upload) co_return faultReply(upload.error());
  beast::file file;
  file.native_handle(upload->descriptor());
  http::request_parser<http::file_body> parser(std::move(head));
  beast::error_code error;
  parser.get().body().reset(std::move(file), error);
  if (error) co_return faultReply(writeFault(error.value()));
  std::optional<Fault> fault = co_await readBody(parser, site_.options.largestFile);
  if (fault) co_return faultReply(*fault);
  whole = true;
  Checked<bool> fresh = upload->keep();
  if (!fresh) co_return faultReply(fresh.error());
  co_return Reply{.status = *fresh ? 201 : 204, .type = "", .body = "", .allow = ""};
}

Connection::Awaitable<Connection::Answer> Connection::answerTo(Head& head) {
  const http::request_header<>& fields = head.get();
  Answer out;
  auto refused = [&](const Fault& fault) {
    out.reply = faultReply(fault);
    return std::move(out);
  };
  if (auto fault = badFraming(fields)) co_return refused(*fault);
  std::optional<Target> target = parseTarget(view(fields.target()));
  if (!target) co_return refused({400, "the target of the request is not a path", ""});

  std::string token = std::exchange(target->query["token"], "");
  target->query.erase("token");
  const Claim claim = claimOf(fields, token);
  if (auto fault = site_.gate.refuse(claim)) co_return refused(*fault);
  out.whole = head.is_done();
  out.cookie = !token.empty() && !site_.gate.token().empty();
  Request request{std::string(view(fields.method_string())), std::move(target->path),
                  std::move(target->query), ""};
  constexpr std::string_view kFiles = "/files/";
  bool files = request.path.starts_with(kFiles) && !site_.options.files.empty();
  bool api = request.path.starts_with("/api/") || request.path.starts_with("/data/");
  if (files || api)
    if (auto fault = site_.gate.refuseForeign(claim)) co_return refused(*fault);

  if (files && request.method == "PUT") {
    out.reply = co_await take(head, request.path.substr(kFiles.size()), out.whole);
    co_return std::move(out);
  }
  if (!head.is_done()) {
    http::request_parser<http::string_body> parser(std::move(head));
    if (auto fault = co_await readBody(parser, site_.options.largestJson))
      co_return refused(*fault);
    request.body = std::move(parser.get().body());
    out.whole = true;
  }
  if (api) {
    out.reply = answer(site_.desk, request);
  } else if (request.method != "GET" && request.method != "HEAD") {
    out.reply = wrongMethod(files ? "GET, HEAD, PUT" : "GET, HEAD");
  } else if (Checked<File> file = site_.folders.open(request.path)) {
    bool known = view(fields[http::field::if_none_match]).contains(file->tag());
    if (known) out.reply.status = 304;
    out.file = std::move(*file);
    out.profiled = request.query.contains("profile");
  } else {
    co_return refused(file.error());
  }
  co_return std::move(out);
}

std::string Connection::headOf(const Answer& answer, uint64_t size, bool keep) const {
  const Reply& reply = answer.reply;
  std::string_view reason =
      view(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(reply.status))));
  std::string out = cat("HTTP/1.1 ", reply.status, " ", reason, "\r\n");
  auto add = [&out](std::string_view name, std::string_view value) {
    if (!value.empty()) out += cat(name, ": ", value, "\r\n");
  };
  add("Content-Type", withCharset(answer.file ? answer.file->type() : reply.type));
  if (!isBare(reply.status)) add("Content-Length", std::to_string(size));
  add("ETag", answer.file ? answer.file->tag() : "");
  add("Connection", keep ? "keep-alive" : "close");
  // What a browser has kept it has to ask for again: files may have changed between two trials.
  add("Cache-Control", answer.file ? "no-cache" : "no-store");
  // Cross-origin isolation (https://html.spec.whatwg.org/#cross-origin-isolation): shared memory,
  // exact clocks.
  add("Cross-Origin-Opener-Policy", "same-origin");
  add("Cross-Origin-Embedder-Policy", "require-corp");
  add("Cross-Origin-Resource-Policy", "same-origin");
  add("X-Content-Type-Options", "nosniff");
  // JavaScript Self-Profiling (https://wicg.github.io/js-self-profiling/), which slows the page
  // down.
  add("Document-Policy", answer.profiled ? "js-profiling" : "");
  add("Allow", reply.allow);
  add("WWW-Authenticate", reply.status == 401 ? "Bearer" : "");
  add("Retry-After", reply.status == 503 ? "1" : "");
  add("Set-Cookie", answer.cookie ? site_.gate.cookie() : "");
  return out + "\r\n";
}

/// Sends in pieces, each with a deadline; false where the client is gone.
Connection::Awaitable<bool> Connection::send(const Answer& answer, bool headAlone, bool keep) {
  const std::string& body = answer.reply.body;
  uint64_t size = answer.file ? answer.file->size() : body.size(), sent = 0;
  std::string head = headOf(answer, size, keep);
  if (headAlone || isBare(answer.reply.status)) size = 0;
  do {
    auto want = static_cast<size_t>(std::min<uint64_t>(kPiece, size - sent));
    std::string piece = answer.file && want ? answer.file->read(sent, want) : "";
    // A file that has become shorter: the client sees that the connection ends too early.
    if (answer.file && want && piece.empty()) co_return false;
    std::string_view part = answer.file ? piece : std::string_view(body).substr(sent, want);
    std::array<asio::const_buffer, 2> both = {asio::buffer(head), asio::buffer(part)};
    stream_.expires_after(site_.options.patience);
    beast::error_code error;
    co_await asio::async_write(stream_, both, redirect_error(use_awaitable, error));
    if (error) co_return false;
    head.clear();
    sent += part.size();
  } while (sent < size);
  co_return true;
}

}  // namespace fjord::study
