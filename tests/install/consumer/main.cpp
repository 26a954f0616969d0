// SPDX-License-Identifier: Apache-2.0
// A program outside the project: compresses a model through the public interface.
#include <onnxpress/onnxpress.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  onnxpress::CompressRequest request;
  request.input = argv[1];
  request.output = argv[2];
  request.preset = "int8-weights";
  try {
    const onnxpress::Document document = onnxpress::compress(request);
    std::cout << onnxpress::render(document, onnxpress::Format::human);
    if (!document.published || !document.output) return 1;
    // 8-bit codes and their scales instead of 32-bit weights.
    return document.output->bytes * 3 < document.models.at(0).bytes ? 0 : 1;
  } catch (const onnxpress::Error& error) {
    std::cerr << error.code() << ": " << error.what() << '\n';
    return onnxpress::exit_code(error.kind());
  }
}
