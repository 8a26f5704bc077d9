// fjord predict: what a trained network says about a data set, a table or pictures.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "commands.h"
#include "dataset.h"
#include "files.h"
#include "image.h"
#include "io/csv.h"
#include "io/model_file.h"
#include "options.h"
#include "state.h"

namespace fjord::cli {

namespace {

struct PredictArguments {
  std::string model, data, csv, label, out, format;
  std::vector<std::string> images;
  bool invert = false;
  int threads = 0;
};

/// What was predicted of all samples, and how to call it.
struct Predictions {
  Tensor scores;  // [samples, outputs]
  bool isClass;   // or a number
  TrainingState state;
  std::vector<std::string> sources;  // of each picture; empty for a data set

  int32_t count() const { return scores.shape()[0]; }
  int32_t outputs() const { return static_cast<int32_t>(scores.size() / count()); }
  std::span<const float> row(int32_t i) const {
    return scores.span<float>().subspan(static_cast<size_t>(i) * outputs(), outputs());
  }
  /// Of one output the class is 1 above a half.
  int classOf(int32_t i) const {
    auto r = row(i);
    if (r.size() == 1) return r[0] > 0.5f;
    return static_cast<int>(std::ranges::max_element(r) - r.begin());
  }
  float probability(int32_t i) const {
    auto r = row(i);
    if (r.size() > 1) return r[classOf(i)];
    return r[0] > 0.5f ? r[0] : 1 - r[0];
  }
  std::string name(int32_t i) const { return className(state.classes, classOf(i)); }
};

// ---- samples

/// A table has the columns that the model takes, with or without the label.
Result<Part> readTable(const PredictArguments& args, const TrainingState& state, int64_t features,
                       Labels labels) {
  // Once: it may be a pipe.
  FJORD_TRY(std::string text, readFile(args.csv));
  CsvReader reader(text);
  std::vector<std::string> cells;
  Result<bool> any = reader.next(cells);
  if (!any) return failAt(args.csv, any.error());
  auto columns = static_cast<int64_t>(cells.size());
  if (*any && columns != features && columns != features + 1)
    return fail(args.csv, ": ", columns, " columns; the model takes ", features,
                ", and there may be one more with the label");
  std::string label = columns == features ? "" : state.labelColumn(args.label);
  return readCsvPart(args.csv, text, label, labels, state.classes);
}

Result<Part> readImages(const PredictArguments& args, const Model& model, int64_t features) {
  Shape shape = model.inputTypes()[0].shape;
  auto side = static_cast<int32_t>(std::lround(std::sqrt(static_cast<double>(features))));
  int32_t height = side, width = side, channels = 1;
  if (shape.rank() >= 3) {
    height = shape[1];
    width = shape[2];
    channels = shape.rank() > 3 ? shape[3] : 1;
  }
  if (int64_t{height} * width * channels != features)
    return fail("the model takes ", features, " numbers, which are no picture");
  auto count = static_cast<int32_t>(args.images.size());
  Part part{.source = "--image"};
  FJORD_TRY(part.x, Tensor::empty({DType::kF32, {count, static_cast<int32_t>(features)}}));
  float* to = part.x.data<float>();
  for (const std::string& path : args.images) {
    FJORD_TRY(std::string bytes, readFile(path));
    Result<Tensor> picture = readImage(bytesOf(bytes));
    if (!picture) return failAt(path, picture.error());
    FJORD_TRY(Tensor fitted, fitImage(*picture, height, width, channels));
    for (float pixel : fitted.span<float>()) *to++ = args.invert ? 1 - pixel : pixel;
  }
  return part;
}

// ---- output

std::string asText(const Predictions& p) {
  std::string out;
  for (int32_t i = 0; i < p.count(); ++i) {
    if (!p.sources.empty()) out += cat(p.sources[i], "\t");
    char number[32];
    std::snprintf(number, sizeof number, p.isClass ? "%.4f" : "%.6g",
                  p.isClass ? p.probability(i) : p.row(i)[0]);
    out += p.isClass ? cat(p.name(i), "\t", number, "\n") : cat(number, "\n");
  }
  return out;
}

std::string asCsv(const Predictions& p) {
  std::string out = p.sources.empty() ? "" : "file,";
  out += p.isClass ? "class,probability" : "prediction";
  bool scores = p.isClass && p.outputs() > 1;
  for (int k = 0; scores && k < p.outputs(); ++k)
    out += cat(",", csvCell(className(p.state.classes, k)));
  out += "\n";
  for (int32_t i = 0; i < p.count(); ++i) {
    if (!p.sources.empty()) out += csvCell(p.sources[i]) + ",";
    out += p.isClass ? cat(csvCell(p.name(i)), ",", p.probability(i)) : cat(p.row(i)[0]);
    for (int k = 0; scores && k < p.outputs(); ++k) out += cat(",", p.row(i)[k]);
    out += "\n";
  }
  return out;
}

/// One object a line.
std::string asJson(const Predictions& p) {
  std::string out;
  for (int32_t i = 0; i < p.count(); ++i) {
    Json line = Json::object();
    if (!p.sources.empty()) line["file"] = p.sources[i];
    if (p.isClass) {
      line["class"] = p.name(i);
      line["probability"] = p.probability(i);
      if (p.outputs() > 1) line["probabilities"] = p.row(i);
    } else {
      line["prediction"] = p.row(i)[0];
    }
    // A file's name need not be UTF-8, JSON must be.
    out += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  return out;
}

/// Against the labels, where there are some: to the error stream, beside the predictions.
void compare(const Predictions& p, const Part& part) {
  if (p.isClass && part.classes) {
    int right = 0;
    for (int32_t i = 0; i < p.count(); ++i)
      right += p.classOf(i) == part.classes.data<int32_t>()[i];
    std::fprintf(stderr, "accuracy %.4f (%d of %d)\n", double(right) / p.count(), right, p.count());
  }
  if (part.numbers) {
    double sum = 0;
    for (int32_t i = 0; i < p.count(); ++i)
      sum += std::fabs(p.row(i)[0] - part.numbers.data<float>()[i]);
    std::fprintf(stderr, "mean absolute error %.6g\n", sum / p.count());
  }
}

Result<int> predict(const PredictArguments& args) {
  if (!args.out.empty()) FJORD_CHECK(checkWritable(args.out));
  Threads threads(threadCount(args.threads));
  FJORD_TRY(std::string bytes, readFile(args.model));
  Result<Safetensors> file = readSafetensors(bytesOf(bytes));
  if (!file) return failAt(args.model, file.error());
  Result<std::unique_ptr<Model>> loaded = loadModel(*file, threads);
  if (!loaded) return failAt(args.model, loaded.error());
  Model& model = **loaded;
  Predictions p{};
  Result<TrainingState> state = TrainingState::of(*file);
  if (!state) return failAt(args.model, state.error());
  p.state = std::move(*state);
  FJORD_TRY(int64_t features, inputSize(model));
  FJORD_TRY(int64_t outputs, outputSize(model));
  p.isClass = labelsOf(model) == Labels::kClasses;
  if (p.state.classes.empty()) p.state.classes = numberedClasses(outputs);

  Part part;
  if (!args.data.empty()) {
    FJORD_TRY(DataSet set, readIdxFolder(args.data, false));
    part = std::move(set.test);
  } else if (!args.csv.empty()) {
    FJORD_TRY(part, readTable(args, p.state, features, labelsOf(model)));
  } else {
    FJORD_TRY(part, readImages(args, model, features));
    p.sources = args.images;
  }
  if (part.features() != features)
    return fail(part.source, ": a sample has ", part.features(), " numbers, the model takes ",
                features);
  constexpr int kBatch = 256;
  Tensor x = asInput(model, part.x);
  FJORD_TRY(std::vector<Tensor> scores, model.predict({&x, 1}, kBatch));
  p.scores = scores[0];
  std::string text = args.format == "json"  ? asJson(p)
                     : args.format == "csv" ? asCsv(p)
                                            : asText(p);
  if (!args.out.empty()) {
    FJORD_CHECK(writeFile(args.out, text));
  } else if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() ||
             std::fflush(stdout) != 0) {
    return fail("standard output: ", std::strerror(errno));
  }
  compare(p, part);
  return 0;
}

constexpr const char* kFooter =
    R"(Prints a line a sample: the class and its probability, or the number, of a network
with one output. Where the data have labels, the accuracy comes last, on the error
stream.

Examples:
  fjord predict digits.safetensors --data mnist
  fjord predict digits.safetensors --image seven.png --invert
  fjord predict flowers.safetensors --csv new.csv --format csv --out classes.csv

MNIST's digits are white on black: a drawing or a scan wants --invert. A picture of
another size is brought to that of the model.)";

}  // namespace

Command addPredict(CLI::App& app) {
  auto args = std::make_shared<PredictArguments>();
  CLI::App* verb = app.add_subcommand("predict", "Say what a trained network makes of data");
  verb->footer(kFooter);
  verb->add_option("model", args->model, "Model file of fjord train")
      ->required()
      ->type_name("FILE");
  const std::string source = "What to look at, one of";
  auto* data = verb->add_option("--data", args->data, "Test files of MNIST or Fashion-MNIST");
  data->type_name("FOLDER")->group(source);
  auto* csv = verb->add_option("--csv", args->csv, "Table, with or without labels");
  csv->type_name("FILE")->group(source);
  auto* image = verb->add_option("--image", args->images, "Pictures: PNG, PGM or PPM");
  image->type_name("FILE..")->group(source);
  verb->add_option("--label-column", args->label, "Column of the table with the label")
      ->type_name("NAME")
      ->needs(csv);
  verb->add_flag("--invert", args->invert, "Take dark for light in pictures")->needs(image);
  addChoice(verb, "--format", args->format, "text, csv or json (one object a line)")
      ->type_name("NAME");
  verb->add_option("--out", args->out, "File to write to instead of the terminal")
      ->type_name("FILE");
  auto threads = [args](double count) { args->threads = static_cast<int>(count); };
  addNumber(verb, "--threads", threads, "Processors to use, all if not said")->type_name("N");
  verb->group("Verbs")->set_help_flag("-h,--help", "Explain and end");
  verb->callback([=] { exactlyOne({data, csv, image}); });
  return {verb, [args] { return predict(*args); }};
}

}  // namespace fjord::cli
