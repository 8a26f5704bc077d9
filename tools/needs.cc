// Prints what a build for one model has to have, as JSON: the ops and the layers of its prediction, and
// with --train those that training it takes, with any optimizer and any loss that fits.
//
//   needs model.safetensors [--train]        needs model.json
#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "io/model_file.h"
#include "ir/graph.h"
#include "ops/op.h"

namespace fjord {

namespace {

Result<std::unique_ptr<Model>> read(const std::string& path, Threads& threads) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(in), {});
  if (!in) return fail("there is no file ", path);
  // A safetensors file begins with a length below 2^32, in eight bytes.
  if (bytes.size() < 8 || bytes[7] != 0) {
    FJORD_TRY(Json description, parseJson(bytes));
    return Model::fromJson(description, threads);
  }
  FJORD_TRY(Safetensors file, readSafetensors(std::as_bytes(std::span(bytes))));
  return loadModel(file, threads);
}

/// The layers that a description names, activations that are layers among them.
void collect(const Json& description, std::set<std::string_view>& classes) {
  const LayerRow* row = findLayer(stringOr(description, "class_name", ""));
  if (row) classes.insert(row->className);
  for (const auto& [key, inner] : description.items()) {
    if (inner.is_structured()) collect(inner, classes);
  }
}

/// Plans a step, for the ops that are asked for meanwhile.
Status plan(Model& model, Model::Mode mode) {
  FJORD_CHECK(model.stepMemory(mode, 2));
  return {};
}

/// Where an optimizer or a loss does not fit the model, nothing of it is needed.
void train(Model& model) {
  for (const Named& optimizer : optimizerTable().rows) {
    for (const Named& loss : lossTable().rows) {
      Json options = {{"optimizer", firstName(optimizer)},
                      {"loss", firstName(loss)},
                      {"metrics", {"accuracy"}}};
      if (model.compile(options) && !plan(model, Model::kTrain)) continue;
    }
  }
}

Result<Json> needs(const std::string& path, bool trains) {
  Threads threads;
  FJORD_TRY(auto model, read(path, threads));
  FJORD_CHECK(plan(*model, Model::kPredict));
  if (trains) train(*model);
  Json ops = Json::array(), layers = Json::array();
  for (int i = static_cast<int>(OpId::cast) + 1; i < static_cast<int>(OpId::kCount); ++i) {
    if (emittedOps()[i]) ops.push_back(opInfo(static_cast<OpId>(i)).name);
  }
  std::set<std::string_view> classes;
  collect(model->json(), classes);
  for (std::string_view name : classes) layers.push_back(name);
  return Json{{"ops", ops}, {"layers", layers}};
}

}  // namespace
}  // namespace fjord

int main(int argc, char** argv) {
  bool trains = argc == 3 && argv[2] == std::string_view("--train");
  if (argc != 2 && !trains) {
    std::fprintf(stderr, "usage: needs model.safetensors [--train]\n");
    return 2;
  }
  fjord::Result<fjord::Json> found = fjord::needs(argv[1], trains);
  if (!found) {
    std::fprintf(stderr, "needs: %s: %s\n", argv[1], found.error().message.c_str());
    return 1;
  }
  std::puts(found->dump(1).c_str());
  return 0;
}
