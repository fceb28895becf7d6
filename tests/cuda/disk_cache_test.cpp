// What is kept on disk comes back as it was, or not at all.
#include "cuda/disk_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "dlcore/error.h"

namespace dlcore {
namespace {

namespace fs = std::filesystem;
using cuda::read_cached;
using cuda::write_cached;

class DiskCache : public ::testing::Test {
 protected:
  DiskCache() : folder_(fs::path(::testing::TempDir()) / str("dlcore_disk_cache_", getpid())) {
    fs::remove_all(folder_);
    setenv("DLCORE_CUDA_CACHE", folder_.c_str(), 1);
  }
  ~DiskCache() override {
    unsetenv("DLCORE_CUDA_CACHE");
    fs::remove_all(folder_);
  }
  /// The only file there is.
  fs::path file() const {
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
    return fs::directory_iterator(folder_)->path();
  }

  fs::path folder_;
  const std::string key_ = "cuDNN 91200\nconvolution 1 2 3", plan_ = std::string("a plan\n\0 of bytes\xff", 18);
};

TEST_F(DiskCache, GivesBackWhatWasWritten) {
  EXPECT_EQ(read_cached("plan", key_), "");
  write_cached("plan", key_, plan_);
  EXPECT_EQ(read_cached("plan", key_), plan_);
  EXPECT_EQ(file().extension(), ".plan");
  EXPECT_EQ(read_cached("cubin", key_), "");
  EXPECT_EQ(read_cached("plan", key_ + "4"), "");
  write_cached("plan", key_, "another");
  EXPECT_EQ(read_cached("plan", key_), "another");
}

TEST_F(DiskCache, TakesAFileForNoOtherKey) {
  write_cached("plan", key_, plan_);
  const fs::path first = file();
  write_cached("plan", "another key", "another plan");
  for (const auto& entry : fs::directory_iterator(folder_))
    if (entry.path() != first) fs::copy_file(first, entry.path(), fs::copy_options::overwrite_existing);
  EXPECT_EQ(read_cached("plan", "another key"), "");
  EXPECT_EQ(read_cached("plan", key_), plan_);
}

TEST_F(DiskCache, IgnoresDamagedFiles) {
  write_cached("plan", key_, plan_);
  const fs::path path = file();
  std::ifstream in(path, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] ^= 1;
    std::ofstream(path, std::ios::binary) << changed;
    EXPECT_EQ(read_cached("plan", key_), "") << "byte " << i;
    std::ofstream(path, std::ios::binary) << whole.substr(0, i);
    EXPECT_EQ(read_cached("plan", key_), "") << i << " bytes";
  }
  write_cached("plan", key_, plan_);
  EXPECT_EQ(read_cached("plan", key_), plan_);
}

TEST_F(DiskCache, IsNoErrorWhereNothingCanBeWritten) {
  std::ofstream(folder_) << "a file where the folder would be";
  write_cached("plan", key_, plan_);
  EXPECT_EQ(read_cached("plan", key_), "");
}

}  // namespace
}  // namespace dlcore
