#include "state.h"

#include "base/json.h"

namespace fjord::cli {

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
    FJORD_TRY(Json progress, parseJson(file.text("progress")));
    state.epoch = intOr(progress, "epoch", 0);
    state.batch = intOr(progress, "batch", 0);
    state.batchSize = intOr(progress, "batchSize", state.batchSize);
    state.samples = intOr(progress, "samples", 0);
    if (state.epoch < 0 || state.batch < 0 || state.batchSize < 1)
      return fail("the file's \"progress\" makes no sense: ", file.text("progress"));
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
