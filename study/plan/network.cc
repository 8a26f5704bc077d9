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
std::vector<float> uniforms(Random& random, size_t count, double range) {
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

/// The weights of a layer while they are trained.
struct Parameters {
  Values kernel, bias, recurrent;
};

std::vector<Parameters> inDouble(std::span<const Weights> weights) {
  std::vector<Parameters> out;
  for (const Weights& w : weights)
    out.push_back({{w.kernel.begin(), w.kernel.end()},
                   {w.bias.begin(), w.bias.end()},
                   {w.recurrent.begin(), w.recurrent.end()}});
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
Values affine(const Layer& layer, const Parameters& weights, std::span<const double> x) {
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

double sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

void activate(const std::string& name, Values& z) {
  if (name == "softmax") return softmax(z);
  for (double& v : z) {
    if (name == "relu") v = std::max(v, 0.0);
    if (name == "sigmoid") v = sigmoid(v);
    if (name == "tanh") v = std::tanh(v);
  }
}

/// The derivative of a hidden layer's activation, by its result.
double slope(const std::string& name, double y) {
  if (name == "relu") return y > 0 ? 1 : 0;
  return name == "sigmoid" ? y * (1 - y) : 1 - y * y;
}

// ---- long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gates of Gers et al. 2000)

/// A step: its gates i, f, c, o after their functions [4*units], its cell and what it gives [units].
struct Step {
  Values gates, cell, out;
};

/// cell = f * cell before + i * c; out = o * tanh(cell)
std::vector<Step> stepsOf(const Layer& layer, const Parameters& weights,
                          std::span<const double> x) {
  auto inputs = static_cast<size_t>(layer.in[1]), units = static_cast<size_t>(layer.recurrent[0]);
  std::vector<Step> steps;
  Values cell(units), out(units);
  for (size_t at = 0; at < x.size(); at += inputs) {
    Values z = weights.bias;
    for (size_t i = 0; i < inputs; ++i) addProducts(z, x[at + i], &weights.kernel[i * z.size()]);
    for (size_t i = 0; i < units; ++i) addProducts(z, out[i], &weights.recurrent[i * z.size()]);
    for (size_t k = 0; k < z.size(); ++k) z[k] = k / units == 2 ? std::tanh(z[k]) : sigmoid(z[k]);
    for (size_t k = 0; k < units; ++k) {
      cell[k] = z[units + k] * cell[k] + z[k] * z[2 * units + k];
      out[k] = z[3 * units + k] * std::tanh(cell[k]);
    }
    steps.push_back({std::move(z), cell, out});
  }
  return steps;
}

/// What the layer gives: of all steps, or of the last.
Values outOf(const Layer& layer, const std::vector<Step>& steps) {
  if (!layer.sequences) return steps.back().out;
  Values out;
  for (const Step& step : steps) out.insert(out.end(), step.out.begin(), step.out.end());
  return out;
}

/// All values of a forward pass: the input, then what each layer gives. The last layer's activation is
/// `output`.
std::vector<Values> forward(const Network& network, const std::string& output,
                            std::span<const Parameters> weights, std::span<const double> input) {
  std::vector<Values> values{{input.begin(), input.end()}};
  size_t weighted = 0;
  for (size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    const Values& x = values.back();
    Values y = x;
    if (layer.type == "lstm") {
      y = outOf(layer, stepsOf(layer, weights[weighted++], x));
    } else if (!layer.kernel.empty()) {
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

/// Adds x delta to the gradient of a kernel's row; gives that of x, which is the row times delta.
double backProducts(double x, std::span<const double> delta, const double* row, double* gradient) {
  double sum = 0;
  for (size_t o = 0; o < delta.size(); ++o) {
    gradient[o] += x * delta[o];
    sum += row[o] * delta[o];
  }
  return sum;
}

/// Adds the gradient of a layer's weights; gives that of its input. `delta` is that of z.
Values backAffine(const Layer& layer, const Parameters& weights, std::span<const double> x,
                  std::span<const double> delta, Parameters& gradient) {
  size_t units = weights.bias.size();
  Values below(x.size());
  eachRow(layer, [&](size_t from, size_t row, size_t place) {
    below[from] += backProducts(x[from], delta.subspan(place * units, units),
                                &weights.kernel[row * units], &gradient.kernel[row * units]);
  });
  for (size_t i = 0; i < delta.size(); ++i) gradient.bias[i % units] += delta[i];
  return below;
}

/// The same through time, from the last step to the first. `delta` is the gradient of what the layer gives.
Values backSteps(const Layer& layer, const Parameters& weights, std::span<const double> x,
                 std::span<const double> delta, Parameters& gradient) {
  auto inputs = static_cast<size_t>(layer.in[1]), units = static_cast<size_t>(layer.recurrent[0]);
  std::vector<Step> steps = stepsOf(layer, weights, x);
  const Step none{{}, Values(units), Values(units)};
  Values below(x.size()), z(4 * units);
  // Gradients of what a step gives and of its cell, as far as the steps after it have them.
  Values out(units), cell(units);
  for (size_t t = steps.size(); t-- > 0;) {
    const Step &step = steps[t], &before = t ? steps[t - 1] : none;
    for (size_t k = 0; k < units; ++k) {
      if (layer.sequences) out[k] += delta[t * units + k];
      if (!layer.sequences && t + 1 == steps.size()) out[k] = delta[k];
      double i = step.gates[k], f = step.gates[units + k], c = step.gates[2 * units + k],
             o = step.gates[3 * units + k], shown = std::tanh(step.cell[k]);
      cell[k] += out[k] * o * (1 - shown * shown);
      z[k] = cell[k] * c * i * (1 - i);
      z[units + k] = cell[k] * before.cell[k] * f * (1 - f);
      z[2 * units + k] = cell[k] * i * (1 - c * c);
      z[3 * units + k] = out[k] * shown * o * (1 - o);
      cell[k] *= f;
    }
    for (size_t k = 0; k < z.size(); ++k) gradient.bias[k] += z[k];
    for (size_t i = 0; i < inputs; ++i)
      below[t * inputs + i] = backProducts(x[t * inputs + i], z, &weights.kernel[i * z.size()],
                                           &gradient.kernel[i * z.size()]);
    for (size_t i = 0; i < units; ++i)
      out[i] = backProducts(before.out[i], z, &weights.recurrent[i * z.size()],
                            &gradient.recurrent[i * z.size()]);
  }
  return below;
}

/// Adds the gradient of one sample's loss; `delta` is that with respect to the last layer's z.
void backward(const Network& network, std::span<const Parameters> weights,
              std::span<const Values> values, Values delta, std::span<Parameters> gradients) {
  size_t weighted = weights.size();
  for (size_t l = network.layers.size(); l-- > 0;) {
    const Layer& layer = network.layers[l];
    const Values &x = values[l], &y = values[l + 1];
    if (layer.type == "lstm") {
      --weighted;
      delta = backSteps(layer, weights[weighted], x, delta, gradients[weighted]);
    } else if (!layer.kernel.empty()) {
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
double train(const Network& network, std::vector<Parameters>& weights, std::span<const double> x,
             std::span<const uint8_t> labels, double rate) {
  std::vector<Parameters> gradients = weights;
  for (Parameters& g : gradients) {
    for (Values* values : {&g.kernel, &g.bias, &g.recurrent}) std::ranges::fill(*values, 0.0);
  }
  size_t inputs = network.inputs();
  double loss = 0, share = 1 / static_cast<double>(labels.size());
  for (size_t n = 0; n < labels.size(); ++n) {
    auto values = forward(network, "softmax", weights, x.subspan(n * inputs, inputs));
    // The gradient of -log softmax(z)[label] with respect to z is softmax(z) - one-hot.
    Values delta = values.back();
    loss -= std::log(delta[labels[n]]) * share;
    delta[labels[n]] -= 1;
    for (double& d : delta) d *= share;
    backward(network, weights, values, std::move(delta), gradients);
  }
  for (size_t l = 0; l < weights.size(); ++l) {
    descend(rate, gradients[l].kernel, weights[l].kernel);
    descend(rate, gradients[l].recurrent, weights[l].recurrent);
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
    Random kernels(kSeed, stream), biases(kSeed, stream + 1);
    Weights& weights = out.emplace_back();
    weights.kernel = uniforms(kernels, count, rangeOf(network, layer));
    weights.bias =
        network.style.bias ? uniforms(biases, units, kBiasRange) : std::vector<float>(units);
    if (layer.recurrent.empty()) continue;
    auto own = static_cast<size_t>(layer.recurrent[0]);
    weights.recurrent = uniforms(kernels, own * units, 1 / std::sqrt(layer.recurrent[0]));
    for (size_t k = own; k < 2 * own && network.style.bias; ++k) weights.bias[k] += 1;
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
    add(w.recurrent);
    if (bias) add(w.bias);
  }
  return out;
}

std::vector<double> outputs(const Network& network, std::span<const Weights> weights,
                            std::span<const double> x) {
  return forward(network, network.style.output, inDouble(weights), x).back();
}

std::vector<double> trainingLosses(const Network& network, std::span<const Weights> weights,
                                   std::span<const double> x, std::span<const uint8_t> labels,
                                   int batch, double rate, int steps) {
  std::vector<Parameters> trained = inDouble(weights);
  std::vector<double> losses;
  size_t size = static_cast<size_t>(batch), values = size * network.inputs();
  for (size_t s = 0; s < static_cast<size_t>(steps); ++s) {
    losses.push_back(train(network, trained, x.subspan(s * values, values),
                           labels.subspan(s * size, size), rate));
  }
  return losses;
}

}  // namespace fjord::study
