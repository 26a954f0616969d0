// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <google/protobuf/stubs/common.h>
#include <openssl/crypto.h>
#include <sys/utsname.h>

#include <Eigen/Core>
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <oneapi/dnnl/dnnl.hpp>

#include "api/request.h"
#include "api/self_tests.h"
#include "base/error_codes.h"
#include "base/thread_pool.h"
#include "onnxpress/about.h"
#include "report/format.h"

namespace onnxpress {
namespace {

// The value of "MemTotal:   16 kB" and the like; nothing where there is none.
std::optional<std::int64_t> memory_info(std::string_view key) {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return std::stoll(line.substr(key.size() + 1)) * 1024;
  }
  return {};
}

std::string cgroup_limit() {
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    std::string text;
    if (!(file >> text)) continue;
    constexpr std::size_t kDigitsOfNoLimit = 18;
    if (text == "max" || text.size() > kDigitsOfNoLimit) return "none";
    return format_bytes(std::stoll(text));
  }
  return "unknown";
}

std::string cpu_flags() {
  static constexpr const char* kInteresting[] = {
      "avx2",     "fma",         "f16c",     "avx512f",  "avx512bw", "avx512_vnni",
      "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimd",    "asimddp"};
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    std::string found;
    for (const char* flag : kInteresting) {
      if ((line + " ").find(fmt::format(" {} ", flag)) == std::string::npos) continue;
      if (!found.empty()) found += ' ';
      found += flag;
    }
    return found;
  }
  return "unknown";
}

std::string operating_system() {
  utsname names{};
  return uname(&names) == 0 ? fmt::format("{} {} {}", names.sysname, names.release, names.machine)
                            : "unknown";
}

std::string libraries() {
  const dnnl_version_t* dnnl = dnnl_version();
  return fmt::format(
      "oneDNN {}.{}.{}, Eigen {}.{}.{}, protobuf {}, fmt {}.{}.{}, {}, nlohmann-json {}.{}.{}",
      dnnl->major, dnnl->minor, dnnl->patch, EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION,
      EIGEN_MINOR_VERSION, google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION),
      FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100,
      OpenSSL_version(OPENSSL_VERSION), NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
      NLOHMANN_JSON_VERSION_PATCH);
}

}  // namespace

Document doctor() {
  api::Recorder recorder("doctor", {}, {});
  Document& document = recorder.document;
  Diagnosis diagnosis;
  const auto put = [&](const char* key, std::string value) {
    diagnosis.facts.emplace_back(key, std::move(value));
  };
  const auto bytes = [](std::optional<std::int64_t> value) {
    return value ? format_bytes(*value) : std::string("unknown");
  };
  put("onnxpress", fmt::format("{} ({})", document.version, document.commit));
  put("compiler", __VERSION__);
  put("system", operating_system());
  put("cpu", document.host.cpu);
  put("cores", fmt::format("{}", available_cores()));
  put("instruction set", document.host.instruction_set);
  put("cpu flags", cpu_flags());
  put("memory", fmt::format("{}, {} available", bytes(memory_info("MemTotal:")),
                            bytes(memory_info("MemAvailable:"))));
  put("memory limit (cgroup)", cgroup_limit());
  put("libraries", libraries());
  diagnosis.tests = api::run_self_tests();
  const bool right = std::ranges::all_of(diagnosis.tests, &SelfTest::passed);
  if (!right) document.exit_code = exit_code(ErrorKind::internal);
  document.diagnosis = std::move(diagnosis);
  return recorder.finish();
}

}  // namespace onnxpress
