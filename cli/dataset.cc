#include "dataset.h"

#include <algorithm>
#include <filesystem>

#include "files.h"
#include "io/csv.h"
#include "io/idx.h"

namespace fjord::cli {

// ---- idx

namespace {

/// The file of this part of a folder under any of the names it goes by, or "".
std::string findIdx(const std::string& folder, const char* part, const char* kind) {
  for (const char* joint : {"-", "."}) {
    for (const char* end : {"", ".gz"}) {
      std::string path = cat(folder, "/", part, joint, kind, "-ubyte", end);
      std::error_code ignored;
      if (std::filesystem::exists(path, ignored)) return path;
    }
  }
  return "";
}

/// What a file holds, by `load`; errors carry its name.
template <class F>
Result<Tensor> loadIdx(const std::string& path, const F& load) {
  FJORD_TRY(std::string bytes, readFile(path));
  Result<IdxArray> array = readIdx(bytesOf(bytes));
  if (!array) return failAt(path, array.error());
  Result<Tensor> tensor = load(*array);
  if (!tensor) return failAt(path, tensor.error());
  return tensor;
}

Result<Part> readIdxPart(const std::string& images, const std::string& labels) {
  Part part{.source = images};
  FJORD_TRY(part.x, loadIdx(images, [](const IdxArray& a) -> Result<Tensor> {
              if (a.shape.rank() < 2 || a.shape.size() == 0)
                return fail("an array of the sizes ", a.shape, " holds no pictures");
              return a.floats(a.element == IdxArray::kU8 ? 1 / 255.0f : 1);
            }));
  if (labels.empty()) return part;
  FJORD_TRY(part.classes, loadIdx(labels, [&](const IdxArray& a) -> Result<Tensor> {
              if (a.shape != Shape{part.count()})
                return fail("labels of the sizes ", a.shape, " for the ", part.count(),
                            " pictures of ", images);
              return a.integers();
            }));
  return part;
}

/// One more than the largest label.
Result<int> countClasses(const Part& part) {
  int count = 0;
  for (int32_t label : part.classes.span<int32_t>()) {
    if (label < 0) return fail(part.source, ": the label ", label, " is below 0");
    count = std::max(count, label + 1);
  }
  return count;
}

}  // namespace

Result<DataSet> readIdxFolder(const std::string& folder, bool train) {
  DataSet set;
  for (bool isTrain : {true, false}) {
    if (isTrain && !train) continue;
    const char* part = isTrain ? "train" : "t10k";
    std::string images = findIdx(folder, part, "images-idx3");
    std::string labels = findIdx(folder, part, "labels-idx1");
    if (images.empty() || (isTrain && labels.empty())) {
      if (!isTrain && train) continue;
      return fail(
          folder, ": there is no ", part, images.empty() ? "-images-idx3" : "-labels-idx1",
          "-ubyte (or .gz); name the folder that holds the files of MNIST or Fashion-MNIST");
    }
    FJORD_TRY((isTrain ? set.train : set.test), readIdxPart(images, labels));
    FJORD_TRY(int count, countClasses(isTrain ? set.train : set.test));
    set.classCount = std::max(set.classCount, count);
  }
  return set;
}

// ---- CSV

namespace {

/// A missing label, as data frames write it among labels that are numbers, is no class.
Status checkLabels(const CsvTable& table) {
  const std::vector<std::string>& labels = table.labels;
  auto isNumber = [](const std::string& label) { return csvNumber(label).has_value(); };
  if (std::ranges::none_of(labels, isNumber)) return {};
  constexpr std::string_view kNotFinite[] = {"nan", "inf", "infinity"};
  for (size_t i = 0; i < labels.size(); ++i) {
    if (std::ranges::find(kNotFinite, canonicalName(labels[i])) != std::end(kNotFinite))
      return fail("csv: line ", table.lines[i], ": the label ", labels[i],
                  " is not a finite number");
  }
  return {};
}

/// Without `classes` they become all labels that the table has.
Result<Part> readPart(const std::string& path, const std::string& text, const std::string& label,
                      Labels labels, std::vector<std::string>& classes) {
  FJORD_TRY(CsvTable table, readCsv(text, {.label = label}));
  Part part{.source = path, .x = table.x};
  if (table.labels.empty()) return part;
  if (labels == Labels::kNumbers) {
    FJORD_TRY(part.numbers, labelNumbers(table));
    return part;
  }
  FJORD_CHECK(checkLabels(table));
  if (classes.empty()) classes = classesOf(table.labels);
  FJORD_TRY(part.classes, classNumbers(table, classes));
  return part;
}

}  // namespace

Result<Part> readCsvPart(const std::string& path, const std::string& text, const std::string& label,
                         Labels labels, const std::vector<std::string>& classes) {
  std::vector<std::string> known = classes;
  Result<Part> part = readPart(path, text, label, labels, known);
  if (!part) return failAt(path, part.error());
  return part;
}

Result<DataSet> readCsvFiles(const std::string& train, const std::string& test,
                             const std::string& label, Labels labels,
                             const std::vector<std::string>& classes) {
  DataSet set{.classes = classes, .label = label};
  for (bool isTrain : {true, false}) {
    const std::string& path = isTrain ? train : test;
    if (path.empty()) continue;
    FJORD_TRY(std::string text, readFile(path));
    Result<Part> part = readPart(path, text, label, labels, set.classes);
    if (!part) return failAt(path, part.error());
    (isTrain ? set.train : set.test) = std::move(*part);
  }
  set.classCount = static_cast<int>(set.classes.size());
  return set;
}

// ---- samples of a model

namespace {

/// Numbers in one sample of a model's only input or output.
Result<int64_t> sampleSize(const std::vector<Type>& types, std::string_view what) {
  if (types.size() != 1)
    return fail("the model has ", types.size(), " ", what,
                "s; the command line knows models with one");
  int64_t size = 1;
  for (int i = 1; i < types[0].shape.rank(); ++i) size *= types[0].shape[i];
  if (size < 1 || std::ranges::count(types[0].shape, -1) > 1)
    return fail("the model's ", what, " has the shape ", types[0].shape,
                "; sizes are to be known but for the batch");
  return size;
}

}  // namespace

Result<int64_t> inputSize(const Model& model) { return sampleSize(model.inputTypes(), "input"); }
Result<int64_t> outputSize(const Model& model) { return sampleSize(model.outputTypes(), "output"); }

Tensor asInput(const Model& model, const Tensor& x) {
  Type type = model.inputTypes()[0];
  type.dtype = x.dtype();
  type.shape[0] = x.shape()[0];
  return Tensor(x.buffer(), type);
}

Result<Samples> samplesFor(const Model& model, const Part& part) {
  FJORD_TRY(int64_t features, inputSize(model));
  FJORD_TRY(int64_t outputs, outputSize(model));
  if (part.features() != features)
    return fail(part.source, ": a sample has ", part.features(), " numbers, the model takes ",
                features);
  Samples samples{{asInput(model, part.x)}, {}, {}};
  if (labelsOf(model) == Labels::kNumbers) {
    samples.y = {part.numbers ? part.numbers : part.classes};
    return samples;
  }
  int32_t most = std::max<int32_t>(2, static_cast<int32_t>(outputs));
  for (int32_t label : part.classes.span<int32_t>()) {
    if (label < 0 || label >= most)
      return fail(part.source, ": there is a label ", label, ", and the model tells ", most,
                  " classes apart: 0 to ", most - 1);
  }
  std::optional<Choice> loss = choiceOf(member(model.compileOptions(), "loss"));
  bool sparse = loss && canonicalName(loss->name) == "sparsecategoricalcrossentropy";
  if (sparse || outputs == 1) {
    samples.y = {part.classes};
    return samples;
  }
  FJORD_TRY(Tensor oneHot,
            Tensor::zeros({DType::kF32, {part.count(), static_cast<int32_t>(outputs)}}));
  for (int32_t i = 0; i < part.count(); ++i)
    oneHot.data<float>()[i * outputs + part.classes.data<int32_t>()[i]] = 1;
  samples.y = {oneHot};
  return samples;
}

Labels labelsOf(int64_t outputs, std::string_view loss) {
  bool classes = outputs > 1 || canonicalName(loss) == "binarycrossentropy";
  return classes ? Labels::kClasses : Labels::kNumbers;
}

Labels labelsOf(const Model& model) {
  std::optional<Choice> loss = choiceOf(member(model.compileOptions(), "loss"));
  return labelsOf(outputSize(model).value_or(1), loss ? loss->name : "");
}

std::vector<std::string> numberedClasses(int64_t outputs) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < std::max<int64_t>(2, outputs); ++i) names.push_back(cat(i));
  return names;
}

std::string className(const std::vector<std::string>& classes, int number) {
  bool named = number >= 0 && static_cast<size_t>(number) < classes.size();
  return named ? classes[static_cast<size_t>(number)] : cat(number);
}

}  // namespace fjord::cli
