#include "serve/server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "serve/test_client.h"

namespace fjord::study {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr const char* kResult =
    R"({"outcome": "ok", "samples": [{"phase": "steady", "unit": "ms", "value": 1}]})";

/// A server with a few files, for the tests of one feature each.
class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    folder.write("pages/index.html", "<h1>trials</h1>");
    folder.write("pages/run.js", "run();");
    folder.write("modules/tf/tf.js", "tf = 1;");
    options.folders = {{"/", folder / "pages"}, {"/packages/", folder / "modules"}};
    options.files = folder / "files";
  }
  void start() { server.emplace(startServer(options, fake)); }
  Response ask(const std::string& method, const std::string& target, const std::string& body = "",
               const std::string& more = "") {
    Response response = Client(*server).ask(method, target, body, more);
    EXPECT_TRUE(response) << method << " " << target << ": the connection has ended";
    return response;
  }
  int status(const std::string& method, const std::string& target, const std::string& body = "") {
    return ask(method, target, body).status;
  }

  TemporaryFolder folder;
  ServerOptions options;
  FakeDesk fake;
  std::optional<Server> server;
};

// ---- files

TEST_F(ServerTest, ServesFilesWithTheirTypes) {
  const std::pair<const char*, const char*> kTypes[] = {
      {"a.html", "text/html; charset=utf-8"},        {"a.js", "text/javascript; charset=utf-8"},
      {"a.mjs", "text/javascript; charset=utf-8"},   {"a.css", "text/css; charset=utf-8"},
      {"a.json", "application/json; charset=utf-8"}, {"a.wasm", "application/wasm"},
      {"a.bin", "application/octet-stream"},         {"a.onnx", "application/octet-stream"},
      {"a.tflite", "application/octet-stream"},      {"a", "application/octet-stream"},
      {"a.js.bin", "application/octet-stream"},
  };
  start();
  for (auto [name, type] : kTypes) {
    folder.write(cat("pages/", name), name);
    Response response = ask("GET", cat("/", name));
    EXPECT_EQ(response.status, 200) << name;
    EXPECT_EQ(response.body, name);
    EXPECT_EQ(response.field("content-type"), type);
    EXPECT_EQ(response.field("cache-control"), "no-cache");
  }
}

TEST_F(ServerTest, TheLongestPrefixCounts) {
  start();
  EXPECT_EQ(ask("GET", "/").body, "<h1>trials</h1>");
  EXPECT_EQ(ask("GET", "/index.html?trial=3").body, "<h1>trials</h1>");
  EXPECT_EQ(ask("GET", "/packages/tf/tf.js").body, "tf = 1;");
  EXPECT_EQ(ask("GET", "/packages/%74f/tf.js").body, "tf = 1;");
  // Folders are not listed.
  for (const char* path :
       {"/packages/", "/packages", "/packages/tf", "/packages/tf/", "/modules/tf/tf.js"})
    EXPECT_EQ(status("GET", path), 404) << path;
}

TEST_F(ServerTest, IsolatesAllAnswers) {
  start();
  for (const char* path :
       {"/", "/run.js", "/missing.js", "/api/subjects", "/api/missing", "/data/echo"}) {
    Response response = ask("GET", path);
    EXPECT_EQ(response.field("cross-origin-opener-policy"), "same-origin") << path;
    EXPECT_EQ(response.field("cross-origin-embedder-policy"), "require-corp") << path;
    EXPECT_EQ(response.field("cross-origin-resource-policy"), "same-origin") << path;
    EXPECT_EQ(response.field("x-content-type-options"), "nosniff") << path;
  }
  EXPECT_EQ(ask("GET", "/api/subjects").field("cache-control"), "no-store");
  EXPECT_EQ(ask("GET", "/data/echo").field("cache-control"), "no-store");
  EXPECT_EQ(ask("GET", "/data/echo").field("content-type"), "application/json; charset=utf-8");
}

/// Modules are downloaded before they are imported: the import only asks whether they are still the same.
TEST_F(ServerTest, SendsWhatABrowserHasOnlyOnce) {
  start();
  Client client(*server);
  std::string tag = client.ask("GET", "/run.js").field("etag");
  ASSERT_GT(tag.size(), 2u);
  Response again = client.ask("GET", "/run.js", "", cat("If-None-Match: W/\"1\", ", tag, "\r\n"));
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.field("etag"), tag);
  EXPECT_EQ(again.field("cache-control"), "no-cache");
  EXPECT_EQ(again.field("cross-origin-embedder-policy"), "require-corp");
  folder.write("pages/run.js", "run(2);");
  EXPECT_EQ(client.ask("GET", "/run.js", "", cat("If-None-Match: ", tag, "\r\n")).body, "run(2);");
  EXPECT_EQ(client.ask("GET", "/api/subjects").field("etag"), "");
}

TEST_F(ServerTest, LetsPagesBeProfiledThatAskForIt) {
  start();
  EXPECT_EQ(ask("GET", "/index.html?trial=3&profile").field("document-policy"), "js-profiling");
  EXPECT_EQ(ask("GET", "/index.html?trial=3").field("document-policy"), "");
}

TEST_F(ServerTest, HeadHasNoBody) {
  start();
  Client client(*server);
  Response response = client.ask("HEAD", "/run.js");
  ASSERT_TRUE(response);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.field("content-length"), "6");
  EXPECT_EQ(client.ask("HEAD", "/missing.js").status, 404);
  // Bytes of a body would now stand where the next answer begins.
  EXPECT_EQ(client.ask("GET", "/run.js").body, "run();");
}

TEST_F(ServerTest, StreamsLargeFiles) {
  std::string bytes(28 << 20, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 2654435761u >> 24);
  folder.write("modules/large.wasm", bytes);
  start();
  Response response = ask("GET", "/packages/large.wasm");
  EXPECT_EQ(response.field("content-type"), "application/wasm");
  EXPECT_TRUE(response.body == bytes) << response.body.size() << " bytes";
  folder.write("modules/empty.js", "");
  EXPECT_EQ(ask("GET", "/packages/empty.js").status, 200);
}

TEST_F(ServerTest, NeverLeavesItsFolders) {
  folder.write("secret.txt", "secret");
  folder.write("pages/.hidden", "secret");
  start();
  for (const char* path : {"/../secret.txt",
                           "/%2e%2e/secret.txt",
                           "/%2E%2E%2Fsecret.txt",
                           "/..%2fsecret.txt",
                           "/./../secret.txt",
                           "/packages/../../secret.txt",
                           "/packages/tf/../../../secret.txt",
                           "/packages/tf/../tf.js",
                           "/packages//tf/tf.js",
                           "/packages/./tf/tf.js",
                           "//secret.txt",
                           "/..",
                           "/.",
                           "/.hidden",
                           "/%2ehidden",
                           "/..%5csecret.txt",
                           "/%252e%252e/secret.txt",
                           "/packages/tf/tf.js/",
                           "/packages/tf/tf.js/..",
                           "/files/../secret.txt",
                           "/%c0%ae%c0%ae/secret.txt"}) {
    Response response = ask("GET", path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(response.body.find("secret\""), std::string::npos);
  }
  EXPECT_EQ(status("GET", "/" + std::string(5000, 'a')), 404);  // no file system has such a name
  for (const char* path : {"/run.js%00", "/%00/../secret.txt", "/a%0d%0aSet-Cookie:%20a",
                           "secret.txt", "*", "http://127.0.0.1/run.js", "/%zz"})
    EXPECT_EQ(status("GET", path), 400) << path;
}

TEST_F(ServerTest, FollowsLinksWithinItsFoldersOnly) {
  folder.write("outside/tf.js", "secret");
  auto link = [&](const std::string& to, const std::string& name) {
    std::filesystem::create_symlink(to, folder / name);
  };
  link("tf", "modules/same");             // npm: within node_modules
  link("../pages", "modules/workspace");  // npm: a workspace, in another listed folder
  link("../outside", "modules/out");
  link(folder / "outside/tf.js", "modules/out.js");
  link("/etc/passwd", "pages/passwd");
  link("loop", "modules/loop");
  link("nothing", "modules/broken");
  ASSERT_EQ(mkfifo((folder / "modules/pipe").c_str(), 0600), 0);
  start();
  EXPECT_EQ(ask("GET", "/packages/same/tf.js").body, "tf = 1;");
  EXPECT_EQ(ask("GET", "/packages/workspace/run.js").body, "run();");
  for (const char* path : {"/packages/out/tf.js", "/packages/out.js", "/passwd", "/packages/loop",
                           "/packages/loop/a", "/packages/broken", "/packages/pipe"})
    EXPECT_EQ(status("GET", path), 404) << path;
}

TEST_F(ServerTest, SaysWhichMethodsThereAre) {
  start();
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"}) {
    Response response = ask(method, "/run.js");
    EXPECT_EQ(response.status, 405) << method;
    EXPECT_EQ(response.field("allow"), "GET, HEAD");
  }
  EXPECT_EQ(ask("DELETE", "/files/tfjs/2x128/a.bin").field("allow"), "GET, HEAD, PUT");
  EXPECT_EQ(ask("GET", "/api/trials/3/result").field("allow"), "POST");
}

// ---- uploads

TEST_F(ServerTest, KeepsUploads) {
  start();
  std::string bytes("\0\1\2\xff\r\n\r\n", 8);
  bytes.resize(3 << 20, 'x');
  EXPECT_EQ(status("GET", "/files/tfjs/2x128/weights.bin"), 404);
  Client client(*server);
  EXPECT_EQ(client.ask("PUT", "/files/tfjs/2x128/weights.bin", bytes).status, 201);
  EXPECT_TRUE(client.ask("GET", "/files/tfjs/2x128/weights.bin").body == bytes);
  EXPECT_EQ(client.ask("PUT", "/files/tfjs/2x128/weights.bin", "new").status, 204);
  EXPECT_EQ(client.ask("GET", "/files/tfjs/2x128/weights.bin").body, "new");
  EXPECT_EQ(client.ask("PUT", "/files/tfjs/2x128/empty.bin", "").status, 201);
  EXPECT_EQ(client.ask("HEAD", "/files/tfjs/2x128/empty.bin").field("content-length"), "0");
  EXPECT_EQ(client.ask("GET", "/files/tfjs/2x128/").status, 404);
}

TEST_F(ServerTest, RefusesUploadsElsewhere) {
  start();
  for (const char* path :
       {"/files/", "/files/a", "/files/tfjs/a.bin", "/files/tfjs/2x128/", "/files/tfjs/2x128/.a",
        "/files/tfjs/2x128/a/b", "/files/../2x128/a", "/files/tfjs/%2e%2e/a",
        "/files/tfjs/../../secret.txt", "/files/tfjs/2x128/..%2fa", "/files//2x128/a",
        "/files/tfjs/0x1/a", "/files/tfjs/2x128/a%20b"})
    EXPECT_EQ(status("PUT", path, "x"), 400) << path;
  EXPECT_EQ(status("PUT", "/run.js", "x"), 405);
  EXPECT_EQ(status("PUT", "/packages/tf/tf.js", "x"), 405);
  EXPECT_TRUE(std::filesystem::is_empty(folder / "files"));
}

TEST_F(ServerTest, KeepsNothingOfWhatIsNotWhole) {
  options.largestFile = 1000;
  start();
  EXPECT_EQ(status("PUT", "/files/tfjs/2x128/a.bin", std::string(1001, 'x')), 413);
  EXPECT_EQ(status("PUT", "/files/tfjs/2x128/b.bin", std::string(1000, 'x')), 201);
  {
    Client client(*server);
    client.send(
        client.request("PUT", "/files/tfjs/2x128/c.bin", std::string(900, 'x')).substr(0, 500));
  }
  std::filesystem::create_directories(folder / "files/tfjs/2x128/d.bin");
  EXPECT_EQ(status("PUT", "/files/tfjs/2x128/d.bin", "x"), 500);
  server.reset();
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "files/tfjs/2x128")) {
    EXPECT_TRUE(entry.path().filename() == "b.bin" || entry.path().filename() == "d.bin")
        << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 2);
}

/// A limit on the size of files stands in for a full disk: to a program they look alike.
TEST_F(ServerTest, SaysThatTheDiskIsFull) {
  start();
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 100'000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  Response full = ask("PUT", "/files/tfjs/2x128/a.bin", std::string(300'000, 'x'));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(full.status, 507);
  EXPECT_NE(full.body.find("cannot be written"), std::string::npos) << full.body;
  EXPECT_EQ(full.field("connection"), "close");
  EXPECT_EQ(status("GET", "/files/tfjs/2x128/a.bin"), 404);
  EXPECT_EQ(status("PUT", "/files/tfjs/2x128/a.bin", "x"), 201);
}

TEST_F(ServerTest, AsksForABodyThatWaitsToBeAskedFor) {
  start();
  Client client(*server);
  std::string request =
      client.request("PUT", "/files/tfjs/2x128/a.bin", "bytes", "Expect: 100-continue\r\n");
  client.send(request.substr(0, request.size() - 5));
  EXPECT_EQ(client.read().status, 100);
  client.send("bytes");
  EXPECT_EQ(client.read().status, 201);
}

// ---- the API over HTTP

TEST_F(ServerTest, AnswersTheApi) {
  start();
  Client client(*server);
  Response response = client.ask("GET", "/api/subjects");
  EXPECT_EQ(response.body, R"({"subjects":[]})");
  EXPECT_EQ(response.field("content-type"), "application/json; charset=utf-8");
  EXPECT_EQ(client.ask("GET", "/api/next").body, "null");
  EXPECT_EQ(
      client.ask("POST", "/api/trials", R"({"subject":"tfjs","backend":"cpu","task":"probe"})")
          .status,
      201);
  EXPECT_EQ(client.ask("POST", "/api/trials/3/phase", R"({"phase":"steady"})").status, 204);
  EXPECT_EQ(client.ask("POST", "/api/trials/3/result", kResult).status, 204);
  EXPECT_EQ(client.ask("POST", "/api/trials/3/result", kResult).status, 409);
  Response wrong =
      client.ask("POST", "/api/trials/4/result",
                 R"({"outcome":"ok","samples":[{"phase":"steady","unit":"s","value":1}]})");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(faultAt(wrong), "samples/0/unit");
  EXPECT_EQ(client.ask("GET", "/data/echo?size=2x128&hidden=a%26b").body, "hidden=a&b;size=2x128;");
  EXPECT_EQ(client.ask("GET", "/api/nothing").status, 404);
  EXPECT_EQ(fake.results.size(), 1u);
}

TEST_F(ServerTest, BodiesHaveALimit) {
  options.largestJson = 2000;
  start();
  std::string padded = kResult + std::string(2000 - std::strlen(kResult), ' ');
  EXPECT_EQ(status("POST", "/api/trials/1/result", padded), 204);
  EXPECT_EQ(status("POST", "/api/trials/2/result", padded + " "), 413);
  // A length that is only claimed is refused at once, and counts in 64 bits.
  Client client(*server);
  client.send(cat("POST /api/trials/3/result HTTP/1.1\r\nHost: ", client.host(),
                  "\r\nContent-Length: 18446744073709551615\r\n\r\n"));
  EXPECT_EQ(client.read().status, 413);
  EXPECT_EQ(fake.results.size(), 1u);
}

// ---- HTTP

TEST_F(ServerTest, KeepsConnectionsAsTheyAsk) {
  start();
  Client client(*server);
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(client.ask("GET", "/run.js").field("connection"), "keep-alive");
  EXPECT_EQ(client.ask("GET", "/run.js", "", "Connection: close\r\n").field("connection"), "close");
  EXPECT_TRUE(client.ended());
  // HTTP/1.0 closes unless it is asked not to.
  Client old(*server);
  old.send(cat("GET /run.js HTTP/1.0\r\nHost: ", old.host(), "\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_EQ(old.read().field("connection"), "keep-alive");
  old.send(cat("GET /run.js HTTP/1.0\r\nHost: ", old.host(), "\r\n\r\n"));
  EXPECT_EQ(old.read().body, "run();");
  EXPECT_TRUE(old.ended());
}

TEST_F(ServerTest, AnswersRequestsThatComeTogether) {
  start();
  Client client(*server);
  std::string all;
  for (int i = 1; i <= 50; ++i) {
    all += client.request("POST", cat("/api/trials/", i, "/result"), kResult);
    all += client.request("GET", cat("/data/echo?i=", i));
  }
  ASSERT_TRUE(client.send(all));
  for (int i = 1; i <= 50; ++i) {
    ASSERT_EQ(client.read().status, 204);
    ASSERT_EQ(client.read().body, cat("i=", i, ";"));
  }
  EXPECT_EQ(fake.results.size(), 50u);
}

TEST_F(ServerTest, ReadsRequestsByteByByte) {
  start();
  Client client(*server);
  for (char c : client.request("POST", "/api/trials/9/result", kResult))
    ASSERT_TRUE(client.send({&c, 1}));
  EXPECT_EQ(client.read().status, 204);
}

TEST_F(ServerTest, AnswersAClientThatHasFinishedSending) {
  start();
  Client client(*server);
  client.send(client.request("GET", "/run.js"));
  client.finish();
  EXPECT_EQ(client.read().body, "run();");
  EXPECT_TRUE(client.ended());
  // Half of a request is none.
  Client half(*server);
  half.send(half.request("POST", "/api/trials/5/result", kResult).substr(0, 100));
  half.finish();
  Response response = half.read();
  EXPECT_TRUE(!response || response.status == 400);
  EXPECT_TRUE(half.ended());
  EXPECT_TRUE(fake.results.empty());
}

/// Where a proxy and a server disagree on where a request ends, somebody can put one request into another.
TEST_F(ServerTest, RefusesWhatHasTwoMeanings) {
  start();
  struct Case {
    const char* head;  // after the Host
    int status;
  };
  const Case kCases[] = {
      {"Content-Length: 5\r\nContent-Length: 6", 400},
      {"Content-Length: 5, 6", 400},
      {"Content-Length: +5", 400},
      {"Content-Length: -5", 400},
      {"Content-Length: 0x5", 400},
      {"Content-Length: 5 5", 400},
      {"Content-Length: 5a", 400},
      {"Content-Length: ", 400},
      {"Content-Length: 99999999999999999999999", 400},
      {"Content-Length : 5", 400},
      {" Content-Length: 5", 400},
      {"Content-Length: 5\r\nTransfer-Encoding: chunked", 400},
      {"Transfer-Encoding: chunked\r\nContent-Length: 5", 400},
      {"Transfer-Encoding: chunked", 411},
      {"Transfer-Encoding: Chunked", 411},
      {"Transfer-Encoding: gzip, chunked", 411},
      {"Transfer-Encoding: chunked, identity", 411},
      {"Transfer-Encoding: xchunked", 411},
      {"Transfer-Encoding:\tchunked", 411},
      {"Transfer-Encoding: identity", 411},
      {"Transfer-Encoding: gzip\r\nContent-Length: 5", 411},
      {"Transfer-Encoding: ", 411},
      {"Transfer-Encoding : chunked", 400},
      {"Host: evil.example", 400},
      {"No-Colon", 400},
      {": no name", 400},
      {"Bad\x01Name: 1", 400},
      {"A: b\x01"
       "c",
       400},
      {"A: b\rc", 400},
      {"A: b\nContent-Length: 5", 400},
  };
  for (const Case& c : kCases) {
    Client client(*server);
    client.send(cat("POST /api/trials/3/result HTTP/1.1\r\nHost: ", client.host(), "\r\n", c.head,
                    "\r\n\r\n0\r\n\r\nGET /api/next HTTP/1.1\r\nHost: ", client.host(),
                    "\r\n\r\n"));
    Response response = client.read();
    ASSERT_TRUE(response) << c.head;
    EXPECT_EQ(response.status, c.status) << c.head << ": " << response.body;
    EXPECT_EQ(response.field("connection"), "close") << c.head;
    EXPECT_NE(response.body.find("\"message\""), std::string::npos) << c.head;
    EXPECT_TRUE(client.ended()) << c.head << ": what came after it was answered";
  }
  EXPECT_EQ(fake.nexts, 0);
  EXPECT_TRUE(fake.results.empty());
}

TEST_F(ServerTest, RefusesWhatIsNoRequest) {
  start();
  const std::pair<std::string, int> kCases[] = {
      {"\r\n\r\n", 400},
      {"GET\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET / HTTP/1.1\n\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\n b: folded\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 400},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},  // no Host
      {"GET / HTTP/1.0\r\n\r\n", 421},
      {"G@T / HTTP/1.1\r\n\r\n", 400},
      {std::string("\x16\x03\x01\x02\0\1\0\1\xfc\3\3\r\n\r\n", 15), 400},  // TLS
      {"<html>\r\n\r\n", 400},
  };
  for (const auto& [text, status] : kCases) {
    Client client(*server);
    client.send(text);
    client.finish();
    Response response = client.read();
    ASSERT_TRUE(response) << text;
    EXPECT_EQ(response.status, status) << text;
    EXPECT_TRUE(client.ended());
  }
}

TEST_F(ServerTest, HeadsHaveALimit) {
  start();
  Client fits(*server);
  EXPECT_EQ(fits.ask("GET", "/run.js", "", cat("A: ", std::string(15'000, 'a'), "\r\n")).status,
            200);
  for (const std::string& more :
       {cat("A: ", std::string(70'000, 'a'), "\r\n"), cat(std::string(40'000, 'a'), ": b\r\n"), [] {
          std::string many;
          for (int i = 0; i < 6000; ++i) many += "A: b\r\n";
          return many;
        }()}) {
    Client client(*server);
    client.send(client.request("GET", "/run.js", "", more));
    Response response = client.read();
    ASSERT_TRUE(response);
    EXPECT_EQ(response.status, 431);
    EXPECT_TRUE(client.ended());
  }
}

// ---- slow clients

TEST_F(ServerTest, HangsUpOnSlowClients) {
  options.patience = milliseconds(300);
  start();
  // Bytes keep coming, but the end does not.
  auto drip = [](Client& client, const std::string& first, const std::string& drop) {
    auto begin = steady_clock::now();
    client.send(first);
    while (client.send(drop) && steady_clock::now() - begin < std::chrono::seconds(20))
      std::this_thread::sleep_for(milliseconds(20));
    return steady_clock::now() - begin;
  };
  Client silent(*server);
  auto begin = steady_clock::now();
  EXPECT_TRUE(silent.ended());
  auto rest = steady_clock::now() - begin;  // 1.2 s
  EXPECT_LT(rest, std::chrono::seconds(10));
  Client head(*server), body(*server);
  EXPECT_LT(drip(head, "GET / HTTP/1.1\r\n", "A: b\r\n"), rest * 3 / 4);
  std::string start = body.request("POST", "/api/trials/3/result", std::string(1000, ' '));
  EXPECT_LT(drip(body, start.substr(0, start.size() - 1000), " "), rest * 3 / 4);
  EXPECT_TRUE(fake.results.empty());
}

TEST_F(ServerTest, GivesLargeBodiesMoreTime) {
  options.patience = milliseconds(400);
  start();
  Client client(*server);
  // A MiB may take five times as long as the head.
  std::string request = client.request("PUT", "/files/tfjs/2x128/a.bin", std::string(1 << 20, 'x'));
  for (size_t at = 0; at < request.size(); at += 1 << 18) {
    ASSERT_TRUE(client.send(std::string_view(request).substr(at, 1 << 18)));
    std::this_thread::sleep_for(milliseconds(200));
  }
  EXPECT_EQ(client.read().status, 201);
}

TEST_F(ServerTest, HangsUpOnAClientThatDoesNotRead) {
  folder.write("modules/large.bin", std::string(64 << 20, 'x'));
  options.patience = milliseconds(150);
  start();
  Client client(*server);
  client.send(client.request("GET", "/packages/large.bin"));
  std::this_thread::sleep_for(milliseconds(1500));
  // What the system has buffered can be read, and then the connection ends too early.
  Response response = client.read();
  ASSERT_TRUE(response);
  EXPECT_EQ(response.field("content-length"), std::to_string(64 << 20));
  EXPECT_LT(response.body.size(), size_t{64} << 20);
}

// ---- who may ask

TEST_F(ServerTest, AnswersToItsOwnNamesOnly) {
  start();
  for (auto [host, status] :
       {std::pair{"127.0.0.1", 200}, std::pair{"localhost", 200}, std::pair{"[::1]", 200},
        std::pair{"rebound.example", 421}, std::pair{"127.0.0.2", 421}}) {
    for (const char* path : {"/run.js", "/api/subjects", "/data/echo"}) {
      Client client(*server);
      client.send(cat("GET ", path, " HTTP/1.1\r\nHost: ", host, ":", client.port(), "\r\n\r\n"));
      EXPECT_EQ(client.read().status, status) << host;
    }
  }
  EXPECT_EQ(server->token(), "");
}

TEST_F(ServerTest, OtherPagesCannotUseTheApi) {
  start();
  const std::string evil = "Origin: http://evil.example\r\n";
  EXPECT_EQ(ask("POST", "/api/trials/3/result", kResult, evil).status, 403);
  EXPECT_EQ(ask("PUT", "/files/tfjs/2x128/a.bin", "x", evil).status, 403);
  EXPECT_EQ(ask("GET", "/api/next", "", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n")
                .status,
            403);
  EXPECT_EQ(fake.nexts, 0);
  EXPECT_TRUE(fake.results.empty());
  Client own(*server);
  EXPECT_EQ(
      own.ask("POST", "/api/trials/3/result", kResult, cat("Origin: http://", own.host(), "\r\n"))
          .status,
      204);
}

TEST_F(ServerTest, WantsATokenFromElsewhere) {
  options.host = "0.0.0.0";
  start();
  const std::string token = server->token();
  ASSERT_EQ(token.size(), 32u);
  EXPECT_TRUE(server->url().starts_with("http://127.0.0.1:")) << server->url();
  for (const char* path : {"/", "/run.js", "/missing", "/api/subjects", "/data/echo", "/files/a",
                           "/?token=", "/?token=00000000000000000000000000000000"}) {
    Response response = ask("GET", path);
    EXPECT_EQ(response.status, 401) << path;
    EXPECT_EQ(response.field("www-authenticate"), "Bearer");
    EXPECT_EQ(response.field("set-cookie"), "");
  }
  EXPECT_EQ(ask("PUT", "/files/tfjs/2x128/a.bin", "x").status, 401);
  Response page = ask("GET", "/?token=" + token);
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.field("set-cookie"),
            cat("fjord-study=", token, "; Path=/; HttpOnly; SameSite=Strict"));
  Response again = ask("GET", "/run.js", "", cat("Cookie: fjord-study=", token, "\r\n"));
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.field("set-cookie"), "");
  EXPECT_EQ(ask("GET", "/run.js", "", cat("Authorization: Bearer ", token, "\r\n")).status, 200);
  // The token is ours, not one of the parameters that a desk sees.
  EXPECT_EQ(ask("GET", cat("/data/echo?a=1&token=", token)).body, "a=1;");
}

// ---- starting and stopping

TEST_F(ServerTest, SaysWhyItCannotStart) {
  auto error = [&](const ServerOptions& o) {
    Result<Server> result = Server::start(o, fake.desk());
    return result ? std::string("it started") : result.error().message;
  };
  start();
  ServerOptions wrong = options;
  wrong.port = std::stoi(server->url().substr(server->url().rfind(':') + 1));
  EXPECT_NE(error(wrong).find("choose another port"), std::string::npos) << error(wrong);
  wrong.port = 70'000;
  EXPECT_NE(error(wrong).find("no port 70000"), std::string::npos) << error(wrong);
  wrong = options;
  wrong.folders["/x/"] = folder / "nowhere";
  EXPECT_NE(error(wrong).find("/nowhere, which does not exist"), std::string::npos) << error(wrong);
  wrong.folders = {{"x", folder / "pages"}};
  EXPECT_NE(error(wrong).find("slash"), std::string::npos) << error(wrong);
  wrong = options;
  wrong.host = "not an address";
  EXPECT_NE(error(wrong).find("not an address of this machine"), std::string::npos) << error(wrong);
  EXPECT_FALSE(Server::start(options, Desk{}));
}

TEST_F(ServerTest, ListensOnVersionSix) {
  options.host = "::1";
  Result<Server> result = Server::start(options, fake.desk());
  if (!result) GTEST_SKIP() << "this machine has no IPv6: " << result.error().message;
  EXPECT_TRUE(result->url().starts_with("http://[::1]:")) << result->url();
  EXPECT_EQ(result->token(), "");
}

TEST_F(ServerTest, StopsAtOnceWhereNothingIsUnderWay) {
  start();
  Client idle(*server), half(*server), silent(*server);
  EXPECT_EQ(idle.ask("GET", "/run.js").status, 200);
  half.send("GET /run.js HTTP/1.1\r\n");
  // The server is to see what has been sent, and that its answer has been taken.
  std::this_thread::sleep_for(milliseconds(100));
  auto begin = steady_clock::now();
  server.reset();
  EXPECT_LT(steady_clock::now() - begin, milliseconds(1500));
  EXPECT_TRUE(idle.ended() && half.ended() && silent.ended());
}

TEST_F(ServerTest, FinishesWhatIsUnderWay) {
  Desk desk = fake.desk();
  std::atomic<bool> asked = false;
  desk.next = [&] {
    asked = true;
    std::this_thread::sleep_for(milliseconds(300));
    return Json("late");
  };
  server.emplace(std::move(*Server::start(options, desk)));
  Client busy(*server);
  busy.send(busy.request("GET", "/api/next"));
  while (!asked) std::this_thread::yield();
  auto begin = steady_clock::now();
  server.reset();
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(4));
  Response response = busy.read();
  ASSERT_TRUE(response);
  EXPECT_EQ(response.body, "\"late\"");
  EXPECT_EQ(response.field("connection"), "close");
  EXPECT_TRUE(busy.ended());
}

/// The client takes its time, and the server does not wait for ever.
TEST_F(ServerTest, StopsInTheMiddleOfAnUpload) {
  start();
  Client client(*server);
  client.send(
      client.request("PUT", "/files/tfjs/2x128/a.bin", std::string(1000, 'x')).substr(0, 400));
  // The upload has begun when its folder is there.
  while (!std::filesystem::exists(folder / "files/tfjs/2x128")) std::this_thread::yield();
  auto begin = steady_clock::now();
  server.reset();
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_TRUE(std::filesystem::is_empty(folder / "files/tfjs/2x128"));
}

}  // namespace
}  // namespace fjord::study
