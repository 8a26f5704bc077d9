#include "report/facts.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace fjord::study {
namespace {

namespace fs = std::filesystem;

class FactsTest : public testing::Test {
 protected:
  FactsTest() {
    std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    modules = testing::TempDir() + "facts_" + name;
    fs::remove_all(modules);
    subject.packages = {"lib"};
    subject.files = {"lib/lib.js"};
    for (const char* name : {"cpu", "wasm"}) subject.backends.emplace_back().name = name;
    subject.backends[1].files = {"lib/lib.wasm"};
  }

  void write(const std::string& file, const std::string& text) {
    fs::path path = fs::path(modules) / file;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }

  std::string modules;
  Subject subject;
};

/// 1,000 times "a": `head -c 1000 /dev/zero | tr '\0' a | gzip -n | wc -c` says 29.
TEST_F(FactsTest, SizesOfFiles) {
  write("lib/package.json", R"({"version": "1.2.3", "license": "MIT", "main": "lib.js"})");
  write("lib/lib.js", std::string(1000, 'a'));
  write("lib/lib.wasm", std::string(500, 'b'));
  PackageFacts facts = packageFacts(modules, subject);
  EXPECT_EQ(facts.version, "1.2.3");
  EXPECT_EQ(facts.license, "MIT");
  EXPECT_TRUE(facts.node);
  EXPECT_EQ(facts.missing, "");
  EXPECT_EQ(facts.files["cpu"].raw, 1000);
  EXPECT_EQ(facts.files["cpu"].gzip, 29);
  EXPECT_EQ(facts.files["wasm"].raw, 1500);
  EXPECT_EQ(facts.files["wasm"].missing, "");
}

TEST_F(FactsTest, SaysWhatIsMissing) {
  PackageFacts none = packageFacts(modules, subject);
  EXPECT_EQ(none.missing, "lib/package.json is missing");
  EXPECT_EQ(none.files["cpu"].missing, "lib/lib.js is missing");
  subject.packages.clear();
  EXPECT_EQ(packageFacts(modules, subject).missing, "no package");
  subject.native = true;
  EXPECT_EQ(packageFacts(modules, subject).missing, "a native program");
  EXPECT_TRUE(packageFacts(modules, subject).files.empty());
}

TEST_F(FactsTest, LicensesOfOldPackagesAndPagesOnly) {
  write("lib/package.json", R"({"license": {"type": "BSD"}})");
  EXPECT_EQ(packageFacts(modules, subject).license, "BSD");
  EXPECT_FALSE(packageFacts(modules, subject).node);
  write("lib/package.json", R"({"licenses": [{"type": "ISC"}], "exports": {".": "./lib.js"}})");
  EXPECT_EQ(packageFacts(modules, subject).license, "ISC");
  EXPECT_TRUE(packageFacts(modules, subject).node);
}

/// Files of the server's own folders stand beside node_modules.
TEST_F(FactsTest, FindsFilesOfTheCheckout) {
  modules += "/node_modules";
  fs::create_directories(modules);
  write("../build/npm/package.json", R"({"version": "0.1.0"})");
  write("../build/npm/fjord.js", "12345");
  write("../study/subjects/mind/mind.js", "123");
  subject.packages = {"fjord"};
  subject.files = {"fjord/fjord.js"};
  subject.backends[1].files = {"/subjects/mind/mind.js"};
  PackageFacts facts = packageFacts(modules, subject);
  EXPECT_EQ(facts.version, "0.1.0");
  EXPECT_EQ(facts.files["cpu"].raw, 5);
  EXPECT_EQ(facts.files["wasm"].raw, 8);
}

}  // namespace
}  // namespace fjord::study
