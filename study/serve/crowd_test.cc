// Many clients at once, and clients that send anything.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "base/random.h"
#include "serve/server.h"
#include "serve/test_client.h"

namespace fjord::study {
namespace {

constexpr const char* kResult =
    R"({"outcome": "ok", "message": "", "version": "1.0", "engine": "wasm",
        "check": {"kind": "loss", "difference": 1e-7, "tolerance": 1e-3},
        "samples": [{"phase": "steady", "unit": "ms", "value": 9.25}], "facts": null})";

int openDescriptors() {
  auto all = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<int>(std::distance(begin(all), end(all)));
}

class CrowdTest : public testing::Test {
 protected:
  CrowdTest() {
    folder.write("pages/index.html", "<h1>trials</h1>");
    options.folders = {{"/", folder / "pages"}};
    options.files = folder / "files";
  }
  TemporaryFolder folder;
  ServerOptions options;
  FakeDesk fake;
};

/// All are connected before the first sends, and each has sent half before one has sent all. No
/// result that was acknowledged is missing.
TEST_F(CrowdTest, ThousandsAtOnceLoseNothing) {
  int before = openDescriptors();
  constexpr int kClients = 3500;
  {
    Server server = startServer(options, fake);  // raises the limit of open files
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < 2 * kClients + 1000)
      GTEST_SKIP() << "this system allows " << limit.rlim_cur << " open files: ulimit -Hn 8000";
    std::vector<Client> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.emplace_back(server);
      ASSERT_TRUE(clients.back().connected()) << i;
    }
    auto textOf = [&](int i) {
      return clients[static_cast<size_t>(i)].request("POST", cat("/api/trials/", i + 1, "/result"),
                                                     kResult);
    };
    for (int i = 0; i < kClients; ++i)
      ASSERT_TRUE(clients[static_cast<size_t>(i)].send(textOf(i).substr(0, 100)));
    for (int i = 0; i < kClients; ++i)
      ASSERT_TRUE(clients[static_cast<size_t>(i)].send(textOf(i).substr(100)));
    for (Client& client : clients) {
      Response response = client.read();
      ASSERT_TRUE(response);
      ASSERT_EQ(response.status, 204);
    }
    ASSERT_EQ(fake.results.size(), static_cast<size_t>(kClients));
    for (const auto& [id, result] : fake.results) ASSERT_EQ(result.samples.at(0).value, 9.25) << id;
    // All of them are still connected, and there is room for one more.
    EXPECT_EQ(Client(server).ask("GET", "/").status, 200);
  }
  EXPECT_EQ(openDescriptors(), before);
}

TEST_F(CrowdTest, TurnsAwayWhatIsTooMuch) {
  options.connections = 50;
  Server server = startServer(options, fake);
  std::vector<Client> clients;
  for (int i = 0; i < 50; ++i) {
    clients.emplace_back(server);
    ASSERT_EQ(clients.back().ask("GET", "/").status, 200);
  }
  for (int i = 0; i < 20; ++i) {
    Client late(server);
    Response response = late.ask("GET", "/");
    ASSERT_TRUE(response);
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(response.field("retry-after"), "1");
    EXPECT_TRUE(late.ended());
  }
  // Those within are served as before, and who leaves makes room.
  EXPECT_EQ(clients[0].ask("GET", "/").status, 200);
  clients.clear();
  int status = 0;
  for (int i = 0; i < 500 && status != 200; ++i) {
    status = Client(server).ask("GET", "/").status;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(status, 200);
}

/// Where the system has no descriptor left, the server waits until it has one again.
TEST_F(CrowdTest, OutlivesTheEndOfDescriptors) {
  Server server = startServer(options, fake);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  Client early(server), waiting(server);
  EXPECT_EQ(early.ask("GET", "/").status, 200);
  EXPECT_EQ(waiting.ask("GET", "/").status, 200);
  std::vector<Client> clients;
  for (int i = 0; i < 8; ++i) clients.emplace_back(server);
  rlimit none = before;
  none.rlim_cur = 3;
  setrlimit(RLIMIT_NOFILE, &none);
  // A connection has its socket, a file cannot be opened.
  EXPECT_EQ(early.ask("GET", "/").status, 500);
  EXPECT_EQ(early.ask("GET", "/api/subjects").status, 200);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  setrlimit(RLIMIT_NOFILE, &before);
  for (Client& client : clients) EXPECT_EQ(client.ask("GET", "/").status, 200);
  EXPECT_EQ(waiting.ask("GET", "/").status, 200);
}

// ---- any bytes

std::string mutated(std::string text, Random& random) {
  constexpr std::string_view kPieces[] = {"\r\n",
                                          "\r",
                                          "\n",
                                          "\r\n\r\n",
                                          ":",
                                          " ",
                                          "\t",
                                          "%2e%2e",
                                          "/",
                                          "..",
                                          "%00",
                                          "Content-Length: 5\r\n",
                                          "Transfer-Encoding: chunked\r\n",
                                          "0\r\n\r\n",
                                          "Host: a\r\n",
                                          "HTTP/1.1",
                                          "HTTP/1.0",
                                          "\xff",
                                          "?",
                                          "&token=",
                                          "Expect: 100-continue\r\n",
                                          "Connection: close\r\n",
                                          "99999999999999999999"};
  auto at = [&] { return random.below(static_cast<uint32_t>(text.size() + 1)); };
  size_t i = at();
  switch (random.below(5)) {
    case 0:
      return text.insert(i, kPieces[random.below(std::size(kPieces))]);
    case 1:
      return text.erase(i, random.below(12));
    case 2:
      if (i < text.size()) text[i] = static_cast<char>(random.below(256));
      return text;
    case 3:
      return text.insert(i, text.substr(at(), random.below(60)));
    default:
      return text.substr(0, i) + text.substr(at());
  }
}

/// Sends changed requests on fresh connections; whatever comes back is HTTP (Client::read checks
/// it).
int sendMutants(const Server& server, uint32_t seed, int count) {
  Random random(seed);
  int answered = 0;
  for (int i = 0; i < count && !testing::Test::HasFailure(); ++i) {
    Client client(server);
    const std::string seeds[] = {
        client.request("GET", "/"),
        client.request("GET", "/data/echo?size=2x128&bias=1"),
        client.request("POST", "/api/trials/123/result", kResult),
        client.request("POST", "/api/trials/7/phase", R"({"phase":"steady"})"),
        client.request("PUT", "/files/tfjs/dense/2x128/model.json", "{}",
                       "Expect: 100-continue\r\n"),
        client.request("POST", "/api/trials",
                       R"({"subject":"a","backend":"b","task":"c","workload":"1x64"})") +
            client.request("GET", "/api/subjects"),
    };
    std::string text = seeds[random.below(std::size(seeds))];
    for (uint32_t changes = 1 + random.below(4); changes > 0; --changes)
      text = mutated(text, random);
    client.send(text);
    client.finish();
    while (Response response = client.read()) {
      answered += response.status >= 200;
      // Of a mutant that turned GET into HEAD the body would be missed: the length then says so.
      if (text.find("HEAD") != std::string::npos) break;
    }
  }
  return answered;
}

TEST_F(CrowdTest, OutlivesAnyBytes) {
  Server server = startServer(options, fake);
  int answered = 0, more = 0;
  std::thread other([&] { more = sendMutants(server, 1, 8'000); });
  answered = sendMutants(server, 2, 8'000);
  other.join();
  EXPECT_GT(answered + more, 8'000);
  EXPECT_EQ(Client(server).ask("GET", "/").body, "<h1>trials</h1>");
  for (const auto& [id, result] : fake.results) {
    for (const Sample& sample : result.samples)
      ASSERT_TRUE(sample.value >= 0 && sample.value < HUGE_VAL);
  }
}

}  // namespace
}  // namespace fjord::study
