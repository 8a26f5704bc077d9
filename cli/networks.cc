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
  // Frozen, it uses the mean and variance that it is told, in training as in prediction.
  if (normalize) {
    layers.push_back(
        layer("BatchNormalization",
              {{"center", false}, {"scale", false}, {"trainable", false}, {"epsilon", 1e-12}}));
  }
  const char* last = sizes.back() > 1 ? "softmax" : isBinary ? "sigmoid" : "linear";
  for (size_t i = 1; i < sizes.size(); ++i) {
    bool isLast = i + 1 == sizes.size();
    layers.push_back(layer("Dense", {{"units", sizes[i]}, {"activation", isLast ? last : "relu"}}));
  }
  return sequential("mlp", {nullptr, sizes[0]}, std::move(layers));
}

void setNormalization(Model& model, const Tensor& x, int64_t rows) {
  int64_t columns = x.size() / x.shape()[0];
  auto weight = [&](std::string_view name) -> float* {
    for (Weight& w : model.mutableWeights()) {
      if (w.name.ends_with(name)) return w.value.data<float>();
    }
    return nullptr;
  };
  float *means = weight("/moving_mean"), *variances = weight("/moving_variance");
  for (int64_t column = 0; column < columns; ++column) {
    auto at = [&](int64_t row) -> double { return x.data<float>()[row * columns + column]; };
    double sum = 0, squares = 0;
    for (int64_t row = 0; row < rows; ++row) sum += at(row);
    double mean = sum / static_cast<double>(rows);
    for (int64_t row = 0; row < rows; ++row) squares += (at(row) - mean) * (at(row) - mean);
    means[column] = static_cast<float>(mean);
    // A column that never changes says nothing, and must not say something large when it does.
    variances[column] = squares > 0 ? static_cast<float>(squares / static_cast<double>(rows)) : 1;
  }
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
