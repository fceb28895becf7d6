#include "program/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

namespace dlcore {
namespace {

std::string temporary_path(const char* name) {
  return (std::filesystem::temp_directory_path() / str("dlcore_", ::getpid(), "_", name)).string();
}

std::string bytes_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

TensorFile sample() {
  const std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  const std::vector<std::int64_t> ids{7, -8};
  return {{{"w", Tensor::from<float>(numbers, {2, 3})},
           {"ids", Tensor::from<std::int64_t>(ids, {2})},
           {"empty", Tensor::empty(DType::F32, {0, 4})}},
          {{"format", "test"}}};
}

class Safetensors : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_ = temporary_path("file.safetensors");
};

TEST_F(Safetensors, WhatIsWrittenIsRead) {
  const TensorFile written = sample();
  write_safetensors(path_, written);
  const TensorFile read = read_safetensors(path_);
  EXPECT_EQ(read.metadata, written.metadata);
  ASSERT_EQ(read.tensors.size(), written.tensors.size());
  for (std::size_t i = 0; i < read.tensors.size(); ++i) {
    EXPECT_EQ(read.tensors[i].first, written.tensors[i].first);
    const Tensor &a = read.tensors[i].second, &b = written.tensors[i].second;
    ASSERT_EQ(a.spec(), b.spec());
    EXPECT_EQ(std::memcmp(a.bytes(), b.bytes(), a.spec().bytes()), 0);
  }
}

TEST_F(Safetensors, EveryTruncationIsAnError) {
  write_safetensors(path_, sample());
  const std::string whole = bytes_of_file(path_);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_file(path_, whole.substr(0, size));
    EXPECT_THROW(read_safetensors(path_), Error) << size;
  }
}

TEST_F(Safetensors, EveryFlippedHeaderByteIsReadOrRefused) {
  write_safetensors(path_, sample());
  const std::string whole = bytes_of_file(path_);
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), sizeof(header));
  for (std::size_t at = 0; at < 8 + header; ++at) {
    for (char flip : {1, 16, -128}) {
      std::string broken = whole;
      broken[at] = static_cast<char>(broken[at] ^ flip);
      write_file(path_, broken);
      try {
        read_safetensors(path_);
      } catch (const Error&) {
      }
    }
  }
}

TEST_F(Safetensors, SizesThatDoNotFitAreRefusedBeforeTheyAreAllocated) {
  for (const char* numbers :
       {"[4611686018427387904],\"data_offsets\":[0,4]", "[-1],\"data_offsets\":[0,4]", "[1.5],\"data_offsets\":[0,4]",
        "[true],\"data_offsets\":[0,4]", "[1],\"data_offsets\":[0,4.5]", "[1],\"data_offsets\":[0,1e300]",
        "[1],\"data_offsets\":[-4,0]", "[1],\"data_offsets\":[0,18446744073709551615]"}) {
    const std::string header = str(R"({"w":{"dtype":"F32","shape":)", numbers, "}}");
    const std::uint64_t size = header.size();
    std::string bytes(reinterpret_cast<const char*>(&size), sizeof(size));
    write_file(path_, bytes + header + "abcd");
    EXPECT_THROW(read_safetensors(path_), Error) << numbers;
  }
}

TEST_F(Safetensors, WhatIsNestedDeeplyIsRefused) {
  const std::string nested = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  for (const std::string& entry :
       {R"("shape":[)" + nested + R"(],"data_offsets":[0,0])", R"("shape":[0],"data_offsets":[)" + nested + ",0]"}) {
    const std::string header = R"({"w":{"dtype":"F32",)" + entry + "}}";
    const std::uint64_t size = header.size();
    write_file(path_, std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + header);
    try {
      read_safetensors(path_);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("more than 100 levels"), std::string::npos);
    }
  }
}

TEST(SafetensorsFile, AFailedWriteLeavesTheOldFile) {
  EXPECT_THROW(write_safetensors("/nonexistent-folder/file", sample()), Error);
  EXPECT_THROW(read_safetensors("/nonexistent-folder/file"), Error);
}

TEST_F(Safetensors, IsWholeWhileThreadsReplaceIt) {
  TensorFile file = sample();
  file.tensors.emplace_back("large", Tensor::zeros(DType::F32, {1 << 20}));
  write_safetensors(path_, file);
  const std::string whole = bytes_of_file(path_);
  std::atomic<int> failed{0}, running{3};
  std::vector<std::thread> writers;
  for (int thread = 0; thread < 3; ++thread)
    writers.emplace_back([&] {
      for (int i = 0; i < 8; ++i) {
        try {
          write_safetensors(path_, file);
        } catch (const Error&) {
          ++failed;
        }
      }
      --running;
    });
  while (running > 0) EXPECT_TRUE(bytes_of_file(path_) == whole);
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(failed, 0);
}

TEST(SafetensorsFile, AFailedWriteLeavesNothing) {
  const std::string folder = temporary_path("folder");
  std::filesystem::create_directory(folder);
  EXPECT_THROW(write_safetensors(folder, sample()), Error);  // what is written can't take the folder's place
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::temp_directory_path()))
    EXPECT_FALSE(entry.path().string().starts_with(folder + ".")) << entry.path();
  std::filesystem::remove(folder);
}

}  // namespace
}  // namespace dlcore
