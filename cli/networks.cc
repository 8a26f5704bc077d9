#include "networks.h"

namespace fjord::cli {

namespace {

Json layer(const char* className, Json config) {
  return {{"class_name", className}, {"config", std::move(config)}};
}

/// Numbers the names as Keras does, and tells the first layer the shape of a sample.
Json sequential(const char* name, const Json& inputShape, Json layers) {
  int number = 0;
  for (Json& l : layers)
    l["config"]["name"] = cat(canonicalName(l["class_name"].get<std::string>()), "_", ++number);
  layers[0]["config"]["batch_input_shape"] = inputShape;
  return {{"class_name", "Sequential"}, {"config", {{"name", name}, {"layers", layers}}}};
}

}  // namespace

Json mlp(const std::vector<int>& sizes, bool normalize, bool isBinary) {
  Json layers = Json::array();
  // Without center and scale it learns nothing: the layer after it can do that.
  if (normalize)
    layers.push_back(layer("BatchNormalization", {{"center", false}, {"scale", false}}));
  const char* last = sizes.back() > 1 ? "softmax" : isBinary ? "sigmoid" : "linear";
  for (size_t i = 1; i < sizes.size(); ++i) {
    bool isLast = i + 1 == sizes.size();
    layers.push_back(layer("Dense", {{"units", sizes[i]}, {"activation", isLast ? last : "relu"}}));
  }
  return sequential("mlp", {nullptr, sizes[0]}, std::move(layers));
}

Json cnn(const Shape& picture, int classes) {
  Json pooling = {{"pool_size", 2}, {"strides", 2}};
  Json layers = {
      layer("Conv2D", {{"filters", 8}, {"kernel_size", 5}, {"activation", "relu"}}),
      layer("MaxPooling2D", pooling),
      layer("Conv2D", {{"filters", 16}, {"kernel_size", 5}, {"activation", "relu"}}),
      layer("MaxPooling2D", pooling),
      layer("Flatten", Json::object()),
      layer("Dense", {{"units", classes}, {"activation", "softmax"}}),
  };
  return sequential("cnn", {nullptr, picture[0], picture[1], picture[2]}, std::move(layers));
}

}  // namespace fjord::cli
