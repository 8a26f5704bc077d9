#include "io/csv.h"

#include <gtest/gtest.h>

namespace fjord {
namespace {

using Strings = std::vector<std::string>;

std::vector<float> numbersOf(const Tensor& t) {
  return {t.data<float>(), t.data<float>() + t.size()};
}

std::string errorOf(std::string_view text, const CsvOptions& options = {}) {
  auto table = readCsv(text, options);
  return table ? "" : table.error().message;
}

TEST(Csv, ReadsNumbersAndLabels) {
  auto t = readCsv("width,height,kind\n1,2.5,cat\n-3e2, +4 ,dog\n");
  ASSERT_TRUE(t) << t.error().message;
  EXPECT_EQ(t->columns, (Strings{"width", "height"}));
  EXPECT_EQ(t->label, "kind");
  EXPECT_EQ(t->x.shape(), (Shape{2, 2}));
  EXPECT_EQ(numbersOf(t->x), (std::vector<float>{1, 2.5, -300, 4}));
  EXPECT_EQ(t->labels, (Strings{"cat", "dog"}));
  EXPECT_EQ(t->lines, (std::vector<int>{2, 3}));
}

TEST(Csv, FindsTheLabelByName) {
  auto t = readCsv("kind;a;b\n7;1;2\n8;3;4", {.label = "kind"});
  ASSERT_TRUE(t) << t.error().message;
  EXPECT_EQ(t->columns, (Strings{"a", "b"}));
  EXPECT_EQ(t->labels, (Strings{"7", "8"}));
  EXPECT_EQ(numbersOf(t->x), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_NE(errorOf("a,b\n1,2\n", {.label = "kind"}).find("no column kind; the columns are a, b"),
            std::string::npos);
}

TEST(Csv, ReadsWithoutLabels) {
  auto t = readCsv("1\t2\n3\t4\n", {.label = ""});
  ASSERT_TRUE(t) << t.error().message;
  EXPECT_EQ(t->x.shape(), (Shape{2, 2}));
  EXPECT_TRUE(t->labels.empty() && t->columns.empty());
}

/// A first row is data unless it cannot be.
TEST(Csv, KnowsNamesFromData) {
  auto data = readCsv("5.1,3.5,setosa\n4.9,3.0,setosa\n");
  ASSERT_TRUE(data);
  EXPECT_EQ(data->labels.size(), 2u);
  EXPECT_TRUE(data->columns.empty());
  auto frame = readCsv("0,1,label\n5,6,1\n7,8,0\n");
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->columns, (Strings{"0", "1"}));
  EXPECT_EQ(frame->labels, (Strings{"1", "0"}));
  EXPECT_EQ(numbersOf(frame->x), (std::vector<float>{5, 6, 7, 8}));
  EXPECT_EQ(frame->lines, (std::vector<int>{2, 3}));
}

TEST(Csv, ReadsWhatIsWrittenElsewhere) {
  auto t = readCsv(
      "\xef\xbb\xbf\"a \"\"b\"\"\",c\r\n\r\n\"1\",\"two\r\nlines\"\r\n2,\"with, comma\"\r\n");
  ASSERT_TRUE(t) << t.error().message;
  EXPECT_EQ(t->columns, (Strings{"a \"b\""}));
  EXPECT_EQ(t->labels, (Strings{"two\r\nlines", "with, comma"}));
  EXPECT_EQ(t->lines, (std::vector<int>{3, 5}));
}

TEST(Csv, ErrorsNameLineAndColumn) {
  struct Bad {
    std::string text, says;
  };
  const Bad cases[] = {
      {"", "the file is empty"},
      {"\n\r\n\n", "the file is empty"},
      {"a,b\n", "no row of numbers"},
      {"a,b\n1,x\n1,2,3\n", "line 3: 3 cells, the first line has 2"},
      {"a,b,c\n1,2,x\n1,two,x\n", "line 3, column 2 (b): \"two\" is not a finite number"},
      {"a,b,c\n1,,x\n", "line 2, column 2 (b): \"\" is not a finite number"},
      {"1,2,x\n1,nan,x\n", "line 2, column 2: \"nan\""},
      {"1,2,x\n1,inf,x\n", "line 2, column 2: \"inf\""},
      {"1,2,x\n1e39,2,x\n", "line 2, column 1: \"1e39\""},
      {"1,2,x\n1 2,2,x\n", "\"1 2\""},
      {"1,2,x\n0x10,2,x\n", "\"0x10\""},
      {"1,2,x\n+-1,2,x\n", "\"+-1\""},
      {"1;2;x\n1,5;2;x\n", "line 2, column 1: \"1,5\""},
      {"a,b\n1,\n", "line 2, column 2: the label is empty"},
      {"a,b\n1,\"x\n2,y\n3,z\n", "line 2: the quote is never closed"},
      {"a,b\n1,\"x\"y\n", "line 2: text follows the closing quote of x"},
      {"a,b\n1,caf\xe9\n", "line 2, column 2: is not UTF-8"},
      {"a,b\n1,\xc0\x80\n", "line 2, column 2: is not UTF-8"},
      {"a,b\n1,\xed\xa0\x80\n", "line 2, column 2: is not UTF-8"},
      {"a,b\n1,\xf4\x90\x80\x80\n", "line 2, column 2: is not UTF-8"},
      {"a,b\n1,\xe2\x82", "line 2, column 2: is not UTF-8"},
      {"a,b\n1,\x80\n", "line 2, column 2: is not UTF-8"},
      {"a\n1\n", "one column, which is the label"},
  };
  for (const Bad& bad : cases) {
    EXPECT_NE(errorOf(bad.text).find(bad.says), std::string::npos)
        << bad.says << " expected, got: " << errorOf(bad.text);
  }
}

TEST(Csv, KeepsTextOfAnyScript) {
  const std::string text = "\u00e9\u20ac\U0001f600";
  auto t = readCsv("a,b\n1," + text + "\n");
  ASSERT_TRUE(t) << t.error().message;
  EXPECT_EQ(t->labels, Strings{text});
}

TEST(Csv, NumbersTheClasses) {
  EXPECT_EQ(classesOf({"dog", "10", "cat", "9", "dog", "-1.5", "10"}),
            (Strings{"-1.5", "9", "10", "cat", "dog"}));
  auto t = readCsv("a,b\n1,dog\n2,cat\n3,dog\n");
  ASSERT_TRUE(t);
  auto y = classNumbers(*t, {"cat", "dog"});
  ASSERT_TRUE(y);
  EXPECT_EQ(y->type(), (Type{DType::kI32, {3}}));
  EXPECT_EQ(y->data<int32_t>()[0], 1);
  EXPECT_EQ(y->data<int32_t>()[1], 0);
  auto unknown = classNumbers(*t, {"dog"});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message, "csv: line 3: the label cat is none of the 1 classes");
}

TEST(Csv, ReadsLabelsAsNumbers) {
  auto t = readCsv("a,price\n1,2.5\n2,-3\n");
  ASSERT_TRUE(t);
  auto y = labelNumbers(*t);
  ASSERT_TRUE(y);
  EXPECT_EQ(y->shape(), (Shape{2, 1}));
  EXPECT_EQ(numbersOf(*y), (std::vector<float>{2.5, -3}));
  auto text = readCsv("a,price\n1,2.5\n2,cheap\n");
  EXPECT_EQ(labelNumbers(*text).error().message,
            "csv: line 3: the label \"cheap\" is not a finite number");
}

TEST(Csv, TinyNumbersAreNumbers) {
  EXPECT_EQ(csvNumber("1e-60"), 0.0f);
  EXPECT_EQ(csvNumber("-1e-44"), -1e-44f);
  EXPECT_EQ(csvNumber("1e-400"), 0.0f);
  EXPECT_EQ(csvNumber(".5"), 0.5f);
  EXPECT_EQ(csvNumber("5."), 5.0f);
  for (const char* text : {".", "-", "e5", "1e", "1e+", "--1", "1.2.3", "1_000", "nan(1)", ""})
    EXPECT_EQ(csvNumber(text), std::nullopt) << text;
}

TEST(Csv, QuotesWhatNeedsIt) {
  EXPECT_EQ(csvCell("plain text"), "plain text");
  EXPECT_EQ(csvCell("a,b"), "\"a,b\"");
  EXPECT_EQ(csvCell("say \"x\""), "\"say \"\"x\"\"\"");
}

}  // namespace
}  // namespace fjord
