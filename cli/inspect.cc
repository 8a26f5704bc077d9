// fjord inspect: what is in a model file, or in any safetensors file.
#include <cstdio>

#include "commands.h"
#include "files.h"
#include "io/model_file.h"
#include "state.h"

namespace fjord::cli {

namespace {

/// A text of a file in one line, without what a terminal would obey.
std::string shortened(const std::string& text) {
  constexpr size_t kMost = 70;
  std::string line;
  for (char c : text.substr(0, kMost))
    line += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c;
  return text.size() > kMost ? cat(line, ".. (", text.size(), " bytes)") : line;
}

/// One line a tensor, in the order of the file.
void printTensors(const Safetensors& file) {
  size_t width = 6, bytes = 0;
  for (const StoredTensor& t : file.tensors) width = std::max(width, shortened(t.name).size());
  std::printf("%-*s  type  shape\n", static_cast<int>(width), "tensor");
  for (const StoredTensor& t : file.tensors) {
    bytes += t.data.size();
    std::printf("%-*s  %-4s  %s\n", static_cast<int>(width), shortened(t.name).c_str(),
                std::string(t.type->name).c_str(), cat(t.shape).c_str());
  }
  std::printf("%zu tensors, %zu bytes\n", file.tensors.size(), bytes);
}

Status printModel(const Safetensors& file) {
  Threads threads(1);
  FJORD_TRY(auto model, loadModel(file, threads));
  FJORD_TRY(TrainingState state, TrainingState::of(file));
  std::printf("%s", model->summary().c_str());
  bool training = model->isCompiled();
  constexpr int32_t kBatch = 32;
  FJORD_TRY(StepMemory memory,
            model->stepMemory(training ? Model::kTrain : Model::kPredict, kBatch));
  std::printf("%s on %d samples holds %s bytes: weights %s, optimizer %s, batch %s, arena %s\n",
              training ? "a training step" : "a prediction", kBatch, cat(memory.total()).c_str(),
              cat(memory.weights).c_str(), cat(memory.state).c_str(), cat(memory.data).c_str(),
              cat(memory.arena).c_str());
  if (model->isCompiled()) {
    std::optional<Choice> optimizer = choiceOf(member(model->compileOptions(), "optimizer"));
    std::optional<Choice> loss = choiceOf(member(model->compileOptions(), "loss"));
    std::string lossText = loss ? loss->name : member(model->compileOptions(), "loss").dump();
    std::printf("optimizer %s, learning rate %s, loss %s\n",
                optimizer ? optimizer->name.c_str() : "none", cat(model->rate()).c_str(),
                lossText.c_str());
  }
  std::printf("seed %s, step %s", cat(model->seed()).c_str(), cat(model->step()).c_str());
  if (state.epoch || state.batch) {
    std::printf(", %d epoch%s", state.epoch, state.epoch == 1 ? "" : "s");
    if (state.batch) std::printf(" and %d batch%s", state.batch, state.batch == 1 ? "" : "es");
    std::printf(" of %d samples in batches of %d", state.samples, state.batchSize);
  }
  std::printf("\n");
  if (!state.classes.empty()) {
    std::printf("classes:");
    for (const std::string& name : state.classes) std::printf(" %s", shortened(name).c_str());
    std::printf("\n");
  }
  return {};
}

Result<int> inspect(const std::string& path, bool tensors) {
  FJORD_TRY(std::string bytes, readFile(path));
  Result<Safetensors> file = readSafetensors(bytesOf(bytes));
  if (!file) return failAt(path, file.error());
  bool isModel = !file->text("model").empty();
  if (isModel) {
    Status printed = printModel(*file);
    if (!printed) return failAt(path, printed.error());
  }
  if (isModel && !tensors) return 0;
  for (const auto& [key, text] : file->metadata)
    std::printf("%s: %s\n", shortened(key).c_str(), shortened(text).c_str());
  printTensors(*file);
  return 0;
}

}  // namespace

Command addInspect(CLI::App& app) {
  struct Arguments {
    std::string file;
    bool tensors = false;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand("inspect", "Show what is in a model file");
  verb->footer(
      "\nOf a model file the layers and how far it was trained; of any other safetensors\n"
      "file its texts and tensors.");
  verb->add_option("file", args->file, "Model file, or any .safetensors")
      ->required()
      ->type_name("FILE");
  verb->add_flag("--tensors", args->tensors, "List the tensors of a model file, too");
  verb->group("Verbs")->set_help_flag("-h,--help", "Explain and end");
  return {verb, [args] { return inspect(args->file, args->tensors); }};
}

}  // namespace fjord::cli
