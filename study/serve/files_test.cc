// What is served from folders, and what is uploaded into one.
#include "serve/files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <thread>

#include "serve/test_client.h"

namespace fjord::study {
namespace {

using FilesTest = ServerTest;

// ---- files

TEST_F(FilesTest, ServesFilesWithTheirTypes) {
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

TEST_F(FilesTest, TheLongestPrefixCounts) {
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

TEST_F(FilesTest, IsolatesAllAnswers) {
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

/// Modules are downloaded before they are imported: the import only asks whether they are still the
/// same.
TEST_F(FilesTest, SendsWhatABrowserHasOnlyOnce) {
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

TEST_F(FilesTest, LetsPagesBeProfiledThatAskForIt) {
  start();
  EXPECT_EQ(ask("GET", "/index.html?trial=3&profile").field("document-policy"), "js-profiling");
  EXPECT_EQ(ask("GET", "/index.html?trial=3").field("document-policy"), "");
}

TEST_F(FilesTest, HeadHasNoBody) {
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

TEST_F(FilesTest, StreamsLargeFiles) {
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

TEST_F(FilesTest, NeverLeavesItsFolders) {
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

TEST_F(FilesTest, FollowsLinksWithinItsFoldersOnly) {
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

TEST_F(FilesTest, SaysWhichMethodsThereAre) {
  start();
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"}) {
    Response response = ask(method, "/run.js");
    EXPECT_EQ(response.status, 405) << method;
    EXPECT_EQ(response.field("allow"), "GET, HEAD");
  }
  EXPECT_EQ(ask("DELETE", "/files/tfjs/dense/2x128/a.bin").field("allow"), "GET, HEAD, PUT");
  EXPECT_EQ(ask("GET", "/api/trials/3/result").field("allow"), "POST");
}

// ---- uploads

TEST_F(FilesTest, KeepsUploads) {
  start();
  std::string bytes("\0\1\2\xff\r\n\r\n", 8);
  bytes.resize(3 << 20, 'x');
  EXPECT_EQ(status("GET", "/files/tfjs/dense/2x128/weights.bin"), 404);
  Client client(*server);
  EXPECT_EQ(client.ask("PUT", "/files/tfjs/dense/2x128/weights.bin", bytes).status, 201);
  EXPECT_TRUE(client.ask("GET", "/files/tfjs/dense/2x128/weights.bin").body == bytes);
  EXPECT_EQ(client.ask("PUT", "/files/tfjs/dense/2x128/weights.bin", "new").status, 204);
  EXPECT_EQ(client.ask("GET", "/files/tfjs/dense/2x128/weights.bin").body, "new");
  EXPECT_EQ(client.ask("PUT", "/files/tfjs/dense/2x128/empty.bin", "").status, 201);
  EXPECT_EQ(client.ask("HEAD", "/files/tfjs/dense/2x128/empty.bin").field("content-length"), "0");
  EXPECT_EQ(client.ask("GET", "/files/tfjs/dense/2x128/").status, 404);
}

TEST_F(FilesTest, RefusesUploadsElsewhere) {
  start();
  for (const char* path :
       {"/files/", "/files/a", "/files/tfjs/a.bin", "/files/tfjs/dense/2x128/",
        "/files/tfjs/dense/2x128/.a", "/files/tfjs/dense/2x128/a/b", "/files/../dense/2x128/a",
        "/files/tfjs/%2e%2e/a", "/files/tfjs/2x128/a", "/files/tfjs/../../secret.txt",
        "/files/tfjs/dense/2x128/..%2fa", "/files//dense/2x128/a", "/files/tfjs/dense/0x1/a",
        "/files/tfjs/dense/2x128/a%20b"})
    EXPECT_EQ(status("PUT", path, "x"), 400) << path;
  EXPECT_EQ(status("PUT", "/run.js", "x"), 405);
  EXPECT_EQ(status("PUT", "/packages/tf/tf.js", "x"), 405);
  EXPECT_TRUE(std::filesystem::is_empty(folder / "files"));
}

TEST_F(FilesTest, KeepsNothingOfWhatIsNotWhole) {
  options.largestFile = 1000;
  start();
  EXPECT_EQ(status("PUT", "/files/tfjs/dense/2x128/a.bin", std::string(1001, 'x')), 413);
  EXPECT_EQ(status("PUT", "/files/tfjs/dense/2x128/b.bin", std::string(1000, 'x')), 201);
  {
    Client client(*server);
    client.send(client.request("PUT", "/files/tfjs/dense/2x128/c.bin", std::string(900, 'x'))
                    .substr(0, 500));
  }
  std::filesystem::create_directories(folder / "files/tfjs/dense/2x128/d.bin");
  EXPECT_EQ(status("PUT", "/files/tfjs/dense/2x128/d.bin", "x"), 500);
  server.reset();
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "files/tfjs/dense/2x128")) {
    EXPECT_TRUE(entry.path().filename() == "b.bin" || entry.path().filename() == "d.bin")
        << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 2);
}

/// A limit on the size of files stands in for a full disk: to a program they look alike.
TEST_F(FilesTest, SaysThatTheDiskIsFull) {
  start();
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 100'000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  Response full = ask("PUT", "/files/tfjs/dense/2x128/a.bin", std::string(300'000, 'x'));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(full.status, 507);
  EXPECT_NE(full.body.find("cannot be written"), std::string::npos) << full.body;
  EXPECT_EQ(full.field("connection"), "close");
  EXPECT_EQ(status("GET", "/files/tfjs/dense/2x128/a.bin"), 404);
  EXPECT_EQ(status("PUT", "/files/tfjs/dense/2x128/a.bin", "x"), 201);
}

TEST_F(FilesTest, AsksForABodyThatWaitsToBeAskedFor) {
  start();
  Client client(*server);
  std::string request =
      client.request("PUT", "/files/tfjs/dense/2x128/a.bin", "bytes", "Expect: 100-continue\r\n");
  client.send(request.substr(0, request.size() - 5));
  EXPECT_EQ(client.read().status, 100);
  client.send("bytes");
  EXPECT_EQ(client.read().status, 201);
}

}  // namespace
}  // namespace fjord::study
