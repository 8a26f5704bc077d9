#include "state.h"

#include "base/fields.h"

namespace fjord::cli {

namespace {

using namespace arguments;
constexpr Argument kProgress[] = {
    whole("epoch", kIndex, 0),
    whole("batch", kIndex, 0),
    whole("batchSize", kCount, 32),
    whole("samples", kIndex, 0),
};

}  // namespace

Metadata TrainingState::metadata() const {
  Json progress = {
      {"epoch", epoch}, {"batch", batch}, {"batchSize", batchSize}, {"samples", samples}};
  Metadata texts = {{"progress", progress.dump()}};
  if (!classes.empty()) {
    Json names = Json::array();
    for (const std::string& name : classes) names.push_back(name);
    texts.emplace_back("classes", names.dump());
  }
  if (!label.empty()) texts.emplace_back("label", label);
  return texts;
}

Result<TrainingState> TrainingState::of(const Safetensors& file) {
  TrainingState state;
  state.label = file.text("label");
  if (!file.text("progress").empty()) {
    FJORD_TRY(Json json, parseJson(file.text("progress")));
    FJORD_TRY(Fields progress, Fields::of("the file's \"progress\"", kProgress, json));
    state.epoch = progress.whole("epoch");
    state.batch = progress.whole("batch");
    state.batchSize = progress.whole("batchSize");
    state.samples = progress.whole("samples");
  }
  if (!file.text("classes").empty()) {
    FJORD_TRY(Json names, parseJson(file.text("classes")));
    for (const Json& name : names) {
      if (!name.is_string()) return fail("the file's \"classes\" are not a list of names");
      state.classes.push_back(name.get<std::string>());
    }
  }
  return state;
}

}  // namespace fjord::cli
