// SPDX-License-Identifier: Apache-2.0
#include "base/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/error_codes.h"
#include "base/mapped_file.h"

namespace onnxpress {
struct Sha256::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                  &EVP_MD_CTX_free};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  if (!state_->context || EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) != 1) {
    throw Error(codes::internal_error, "SHA-256 is not available in this build of OpenSSL");
  }
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::add(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size());
}

std::string Sha256::hex() && {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(state_->context.get(), digest.data(), &size);
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string sha256(std::span<const std::byte> bytes) {
  Sha256 digest;
  digest.add(bytes);
  return std::move(digest).hex();
}

std::string sha256_of_file(const std::filesystem::path& path, const std::atomic<bool>* stop) {
  const auto file = MappedFile::open(path);
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  Sha256 digest;
  for (auto rest = file->bytes(); !rest.empty();) {
    if (stop != nullptr && *stop) return "";
    const auto piece = rest.first(std::min(kPiece, rest.size()));
    digest.add(piece);
    file->release(piece);
    rest = rest.subspan(piece.size());
  }
  return std::move(digest).hex();
}

BackgroundSha256::BackgroundSha256(std::filesystem::path path)
    : stop_(std::make_unique<std::atomic<bool>>(false)),
      digest_(std::async(std::launch::async, [path = std::move(path), stop = stop_.get()] {
        return sha256_of_file(path, stop);
      })) {}

BackgroundSha256::~BackgroundSha256() {
  if (stop_) *stop_ = true;
}

BackgroundSha256& BackgroundSha256::operator=(BackgroundSha256&& other) noexcept {
  std::swap(stop_, other.stop_);
  std::swap(digest_, other.digest_);
  return *this;
}

std::string BackgroundSha256::get() {
  return digest_.get();
}

}  // namespace onnxpress
