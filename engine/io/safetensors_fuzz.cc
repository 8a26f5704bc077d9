// Any bytes are read or refused; what is read can be loaded, written and read again.
#include <cstdint>
#include <cstdlib>

#include "io/safetensors.h"

using namespace fjord;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  Result<Safetensors> file = readSafetensors(std::as_bytes(std::span(bytes, size)));
  if (!file) return file.error().message.empty() ? std::abort(), 0 : 0;
  std::vector<NamedTensor> loaded;
  size_t total = 0;
  for (const StoredTensor& t : file->tensors) {
    total += t.data.size();
    if (Result<Tensor> tensor = t.load()) loaded.push_back({t.name, std::move(*tensor)});
  }
  if (total > size) std::abort();
  Result<std::string> written = writeSafetensors(loaded, file->metadata);
  if (!written) std::abort();
  Result<Safetensors> again = readSafetensors(std::as_bytes(std::span(*written)));
  if (!again || again->tensors.size() != loaded.size() || again->metadata != file->metadata)
    std::abort();
  return 0;
}
