#include "serve/server.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "serve/connection.h"
// After connection.h, which tells Asio of coroutines.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fjord::study {

namespace asio = boost::asio;
using asio::redirect_error;
using asio::use_awaitable;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

namespace {

/// For connections that are turned away, beyond those that are served.
constexpr size_t kDoorstep = 256;
/// Descriptors for everything else that the program has open.
constexpr rlim_t kOther = 256;
constexpr std::chrono::seconds kGrace(2);

/// How many connections may be served: each has a socket and at times a file.
size_t raiseLimit(size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur == RLIM_INFINITY) return wanted;
  rlim_t room = limit.rlim_cur > 2 * kOther ? limit.rlim_cur - kOther : kOther;
  return std::min<size_t>(wanted, room / 2);
}

/// Programs that the lab starts, browsers above all, do not keep our connections open.
void closeInChildren(int descriptor) { fcntl(descriptor, F_SETFD, FD_CLOEXEC); }

Result<tcp::endpoint> endpointOf(const ServerOptions& options) {
  if (options.port < 0 || options.port > 65535)
    return fail("serve: there is no port ", options.port);
  auto port = static_cast<uint16_t>(options.port);
  if (options.host == "localhost") return tcp::endpoint(asio::ip::address_v4::loopback(), port);
  ErrorCode error;
  auto address = asio::ip::make_address(options.host, error);
  if (error)
    return fail("serve: ", options.host, " is not an address of this machine, such as 127.0.0.1, ",
                "or 0.0.0.0 for all of them");
  return tcp::endpoint(address, port);
}

std::string hostOf(const tcp::endpoint& endpoint) {
  const asio::ip::address address = endpoint.address();
  // All addresses of the machine: this one reaches it from the machine itself.
  if (address.is_unspecified()) return address.is_v6() ? "[::1]" : "127.0.0.1";
  return address.is_v6() ? cat("[", address.to_string(), "]") : address.to_string();
}

Status checkDesk(const Desk& desk) {
  bool all = desk.subjects && desk.create && desk.next && desk.trial && desk.phase && desk.usage &&
             desk.result && desk.data;
  if (!all) return fail("serve: a function of the desk is missing");
  return {};
}

}  // namespace

struct Server::State {
  State(std::unique_ptr<asio::io_context> context, tcp::acceptor socket,
        const ServerOptions& options, Desk desk, Folders folders, Gate gate)
      : io(std::move(context)),
        site{options, std::move(desk), std::move(folders), std::move(gate)},
        acceptor(std::move(socket)) {}
  ~State();

  asio::awaitable<void> listen();
  void welcome(tcp::socket socket);

  std::unique_ptr<asio::io_context> io;  // first: what waits in it goes last
  Site site;
  tcp::acceptor acceptor;
  std::string url;
  size_t most = 0;

  std::mutex mutex;
  std::condition_variable left;
  std::set<std::shared_ptr<Connection>> connections;

  std::vector<std::jthread> threads;
};

asio::awaitable<void> Server::State::listen() {
  while (!site.stopping) {
    tcp::socket socket(asio::make_strand(*io));
    ErrorCode error;
    co_await acceptor.async_accept(socket, redirect_error(use_awaitable, error));
    if (error == asio::error::operation_aborted) co_return;
    if (!error) {
      welcome(std::move(socket));
      continue;
    }
    // No descriptors are left: some will be free again.
    asio::steady_timer wait(acceptor.get_executor(), std::chrono::milliseconds(50));
    co_await wait.async_wait(redirect_error(use_awaitable, error));
  }
}

void Server::State::welcome(tcp::socket socket) {
  closeInChildren(socket.native_handle());
  ErrorCode ignored;
  // An answer is not to wait for more, which does not come.
  socket.set_option(tcp::no_delay(true), ignored);
  auto executor = socket.get_executor();
  auto connection = std::make_shared<Connection>(std::move(socket), site);
  std::unique_lock lock(mutex);
  if (site.stopping || connections.size() >= most + kDoorstep) return;
  bool room = connections.size() < most;
  connections.insert(connection);
  lock.unlock();
  // An exception (no memory is left) ends the connection that it hit.
  auto gone = [this, connection](std::exception_ptr) {
    std::lock_guard guard(mutex);
    connections.erase(connection);
    left.notify_all();
  };
  asio::co_spawn(executor, room ? connection->serve() : connection->turnAway(), std::move(gone));
}

Server::State::~State() {
  std::unique_lock lock(mutex);
  site.stopping = true;
  for (const std::shared_ptr<Connection>& connection : connections) connection->stop();
  asio::post(acceptor.get_executor(), [this] {
    ErrorCode ignored;
    acceptor.close(ignored);
  });
  left.wait_for(lock, kGrace, [this] { return connections.empty(); });
  lock.unlock();
  io->stop();
  threads.clear();
}

Result<Server> Server::start(const ServerOptions& options, Desk desk) {
  FJORD_CHECK(checkDesk(desk));
  FJORD_TRY(tcp::endpoint endpoint, endpointOf(options));
  std::map<std::string, std::string> prefixes = options.folders;
  if (!options.files.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options.files, error);
    if (error) return fail("serve: the folder ", options.files, ": ", error.message());
    prefixes["/files/"] = options.files;
  }
  FJORD_TRY(Folders folders, Folders::of(prefixes));

  auto io = std::make_unique<asio::io_context>();
  tcp::acceptor acceptor(asio::make_strand(*io));
  ErrorCode failed;
  acceptor.open(endpoint.protocol(), failed);
  if (!failed) acceptor.set_option(asio::socket_base::reuse_address(true), failed);
  if (!failed) acceptor.bind(endpoint, failed);
  if (!failed) acceptor.listen(asio::socket_base::max_listen_connections, failed);
  if (failed)
    return fail("serve: cannot listen on ", options.host, ", port ", options.port, ": ",
                failed.message(), "; choose another port, or 0 for any that is free");
  closeInChildren(acceptor.native_handle());
  endpoint = acceptor.local_endpoint(failed);

  Gate gate(hostOf(endpoint), endpoint.port(), endpoint.address().is_loopback());
  auto state = std::make_unique<State>(std::move(io), std::move(acceptor), options, std::move(desk),
                                       std::move(folders), std::move(gate));
  state->url = cat("http://", hostOf(endpoint), ":", endpoint.port());
  state->most = raiseLimit(static_cast<size_t>(std::max(options.connections, 1)));
  State* raw = state.get();
  asio::co_spawn(raw->acceptor.get_executor(), raw->listen(), [](std::exception_ptr) {});
  for (int i = 0; i < std::max(options.threads, 1); ++i)
    raw->threads.emplace_back([raw] { raw->io->run(); });
  return Server(std::move(state));
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&&) noexcept = default;
Server::~Server() = default;

std::string Server::url() const { return state_->url; }
const std::string& Server::token() const { return state_->site.gate.token(); }

}  // namespace fjord::study
