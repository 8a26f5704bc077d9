#include "plan/network.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/random.h"

namespace fjord::study {

namespace {

constexpr uint64_t kSeed = 2019;  // the year of the paper
constexpr double kBiasRange = 0.1;

using Values = std::vector<double>;

/// `count` numbers, uniform in [-range, range): computed in double and rounded once.
std::vector<float> uniforms(uint32_t stream, size_t count, double range) {
  Random random(kSeed, stream);
  std::vector<float> out(count);
  for (float& x : out)
    x = static_cast<float>((2.0 * static_cast<double>(random.uniform()) - 1.0) * range);
  return out;
}

/// How far from 0 the weights of a kernel lie at most.
double rangeOf(const Network& network, const Layer& layer) {
  double in = layer.kernel[0], out = layer.kernel.back();
  if (layer.type == "conv2d") {
    // A filter over an image smaller than itself sees zeros around it, which bring no variance.
    double rows = std::min(layer.kernel[0], layer.in[0]),
           columns = std::min(layer.kernel[1], layer.in[1]);
    in = rows * columns * layer.kernel[2];
    out *= rows * columns;
  }
  return std::sqrt(6.0 / (network.he ? in : in + out));
}

/// Weights while they are trained.
struct Pair {
  Values kernel, bias;
};

std::vector<Pair> inDouble(std::span<const Weights> weights) {
  std::vector<Pair> out;
  for (const Weights& w : weights)
    out.push_back({{w.kernel.begin(), w.kernel.end()}, {w.bias.begin(), w.bias.end()}});
  return out;
}

// ---- layers, forward

void addProducts(std::span<double> z, double x, const double* row) {
  for (size_t o = 0; o < z.size(); ++o) z[o] += x * row[o];
}

/// Calls f(index of the input's value, index of the kernel's row, index of the output's place) for each
/// product of a row of the kernel: the inner loop goes along it, as it lies in memory.
template <class F>
void eachRow(const Layer& layer, F f) {
  if (layer.type == "dense") {
    for (size_t i = 0; i < static_cast<size_t>(layer.kernel[0]); ++i) f(i, i, size_t{0});
    return;
  }
  int height = layer.in[0], width = layer.in[1], channels = layer.in[2];
  int rows = layer.kernel[0], columns = layer.kernel[1];
  int top = layer.padding == "same" ? (rows - 1) / 2 : 0;
  int left = layer.padding == "same" ? (columns - 1) / 2 : 0;
  for (int y = 0; y < layer.out[0]; ++y) {
    for (int x = 0; x < layer.out[1]; ++x) {
      auto place = static_cast<size_t>(y) * layer.out[1] + x;
      for (int tap = 0; tap < rows * columns; ++tap) {
        int fromY = y + tap / columns - top, fromX = x + tap % columns - left;
        if (fromY < 0 || fromY >= height || fromX < 0 || fromX >= width) continue;
        auto from = (static_cast<size_t>(fromY) * width + fromX) * channels;
        auto row = static_cast<size_t>(tap) * channels;
        for (size_t c = 0; c < static_cast<size_t>(channels); ++c) f(from + c, row + c, place);
      }
    }
  }
}

size_t placesOf(const Layer& layer) {
  return layer.type == "conv2d" ? static_cast<size_t>(layer.out[0] * layer.out[1]) : 1;
}

/// z = x kernel + bias
Values affine(const Layer& layer, const Pair& weights, std::span<const double> x) {
  size_t units = weights.bias.size();
  Values z;
  for (size_t place = 0; place < placesOf(layer); ++place)
    z.insert(z.end(), weights.bias.begin(), weights.bias.end());
  eachRow(layer, [&](size_t from, size_t row, size_t place) {
    addProducts(std::span(z).subspan(place * units, units), x[from], &weights.kernel[row * units]);
  });
  return z;
}

/// Where the largest value of each window lies, the first of those that are equal.
std::vector<size_t> largestOf(const Layer& layer, std::span<const double> x) {
  int height = layer.in[0], width = layer.in[1], channels = layer.in[2], size = layer.size;
  // What is added around an image is half of what is missing, the smaller half before it.
  auto before = [&](int side, int windows) {
    return layer.padding == "same" ? std::max(0, windows * size - side) / 2 : 0;
  };
  int top = before(height, layer.out[0]), left = before(width, layer.out[1]);
  std::vector<size_t> out;
  for (int i = 0; i < layer.out[0] * layer.out[1]; ++i) {
    int startY = i / layer.out[1] * size - top, startX = i % layer.out[1] * size - left;
    for (int c = 0; c < channels; ++c) {
      double most = -INFINITY;
      size_t& best = out.emplace_back();
      for (int y = std::max(startY, 0); y < std::min(startY + size, height); ++y) {
        for (int x0 = std::max(startX, 0); x0 < std::min(startX + size, width); ++x0) {
          auto at = (static_cast<size_t>(y) * width + x0) * channels + c;
          if (x[at] > most) most = x[at], best = at;
        }
      }
    }
  }
  return out;
}

void softmax(Values& z) {
  double largest = std::ranges::max(z), sum = 0;
  for (double& v : z) sum += v = std::exp(v - largest);
  for (double& v : z) v /= sum;
}

void activate(const std::string& name, Values& z) {
  if (name == "softmax") return softmax(z);
  for (double& v : z) {
    if (name == "relu") v = std::max(v, 0.0);
    if (name == "sigmoid") v = 1 / (1 + std::exp(-v));
    if (name == "tanh") v = std::tanh(v);
  }
}

/// The derivative of a hidden layer's activation, by its result.
double slope(const std::string& name, double y) {
  if (name == "relu") return y > 0 ? 1 : 0;
  return name == "sigmoid" ? y * (1 - y) : 1 - y * y;
}

/// All values of a forward pass: the image, then what each layer gives. The last layer's activation is
/// `output`.
std::vector<Values> forward(const Network& network, const std::string& output,
                            std::span<const Pair> weights, std::span<const double> image) {
  std::vector<Values> values{{image.begin(), image.end()}};
  size_t weighted = 0;
  for (size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    const Values& x = values.back();
    Values y = x;
    if (!layer.kernel.empty()) {
      y = affine(layer, weights[weighted++], x);
      activate(l + 1 < network.layers.size() ? layer.activation : output, y);
    } else if (layer.type == "maxPool") {
      y.clear();
      for (size_t at : largestOf(layer, x)) y.push_back(x[at]);
    }
    values.push_back(std::move(y));
  }
  return values;
}

// ---- backward

/// Adds the gradient of a layer's weights; gives that of its input. `delta` is that of z.
Values backAffine(const Layer& layer, const Pair& weights, std::span<const double> x,
                  std::span<const double> delta, Pair& gradient) {
  size_t units = weights.bias.size();
  Values below(x.size());
  eachRow(layer, [&](size_t from, size_t row, size_t place) {
    std::span<const double> d = delta.subspan(place * units, units);
    const double* w = &weights.kernel[row * units];
    double* g = &gradient.kernel[row * units];
    double sum = 0;
    for (size_t o = 0; o < units; ++o) {
      g[o] += x[from] * d[o];
      sum += w[o] * d[o];
    }
    below[from] += sum;
  });
  for (size_t i = 0; i < delta.size(); ++i) gradient.bias[i % units] += delta[i];
  return below;
}

/// Adds the gradient of one image's loss; `delta` is that with respect to the last layer's z.
void backward(const Network& network, std::span<const Pair> weights, std::span<const Values> values,
              Values delta, std::span<Pair> gradients) {
  size_t weighted = weights.size();
  for (size_t l = network.layers.size(); l-- > 0;) {
    const Layer& layer = network.layers[l];
    const Values &x = values[l], &y = values[l + 1];
    if (!layer.kernel.empty()) {
      bool isLast = l + 1 == network.layers.size();
      for (size_t i = 0; i < delta.size() && !isLast; ++i)
        delta[i] *= slope(layer.activation, y[i]);
      --weighted;
      delta = backAffine(layer, weights[weighted], x, delta, gradients[weighted]);
    } else if (layer.type == "maxPool") {
      Values below(x.size());
      std::vector<size_t> largest = largestOf(layer, x);
      for (size_t i = 0; i < largest.size(); ++i) below[largest[i]] += delta[i];
      delta = std::move(below);
    }
  }
}

void descend(double rate, const Values& gradient, Values& weights) {
  for (size_t i = 0; i < weights.size(); ++i) weights[i] -= rate * gradient[i];
}

/// One step; the mean loss before it.
double train(const Network& network, std::vector<Pair>& weights, std::span<const double> images,
             std::span<const uint8_t> labels, double rate) {
  std::vector<Pair> gradients = weights;
  for (Pair& g : gradients) {
    std::ranges::fill(g.kernel, 0.0);
    std::ranges::fill(g.bias, 0.0);
  }
  double loss = 0, share = 1 / static_cast<double>(labels.size());
  for (size_t n = 0; n < labels.size(); ++n) {
    auto values = forward(network, "softmax", weights, images.subspan(n * kPixels, kPixels));
    // The gradient of -log softmax(z)[label] with respect to z is softmax(z) - one-hot.
    Values delta = values.back();
    loss -= std::log(delta[labels[n]]) * share;
    delta[labels[n]] -= 1;
    for (double& d : delta) d *= share;
    backward(network, weights, values, std::move(delta), gradients);
  }
  for (size_t l = 0; l < weights.size(); ++l) {
    descend(rate, gradients[l].kernel, weights[l].kernel);
    if (network.style.bias) descend(rate, gradients[l].bias, weights[l].bias);
  }
  return loss;
}

}  // namespace

std::vector<Weights> weightsOf(const Network& network) {
  std::vector<Weights> out;
  for (const Layer& layer : network.layers) {
    if (layer.kernel.empty()) continue;
    auto stream = static_cast<uint32_t>(2 * out.size());
    size_t count = 1, units = static_cast<size_t>(layer.kernel.back());
    for (int length : layer.kernel) count *= static_cast<size_t>(length);
    out.push_back(
        {uniforms(stream, count, rangeOf(network, layer)),
         network.style.bias ? uniforms(stream + 1, units, kBiasRange) : std::vector<float>(units)});
  }
  return out;
}

std::string weightBytes(std::span<const Weights> weights, bool bias) {
  std::string out;
  auto add = [&](const std::vector<float>& values) {
    for (float value : values) {
      auto bits = std::bit_cast<uint32_t>(value);
      for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(bits >> shift & 0xff);
    }
  };
  for (const Weights& w : weights) {
    add(w.kernel);
    if (bias) add(w.bias);
  }
  return out;
}

std::vector<double> outputs(const Network& network, std::span<const Weights> weights,
                            std::span<const double> image) {
  return forward(network, network.style.output, inDouble(weights), image).back();
}

std::vector<double> trainingLosses(const Network& network, std::span<const Weights> weights,
                                   std::span<const double> images, std::span<const uint8_t> labels,
                                   int batch, double rate, int steps) {
  std::vector<Pair> trained = inDouble(weights);
  std::vector<double> losses;
  auto size = static_cast<size_t>(batch);
  for (size_t s = 0; s < static_cast<size_t>(steps); ++s) {
    losses.push_back(train(network, trained, images.subspan(s * size * kPixels, size * kPixels),
                           labels.subspan(s * size, size), rate));
  }
  return losses;
}

}  // namespace fjord::study
