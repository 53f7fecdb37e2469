#include "cuda/choice_file.h"

#include <gtest/gtest.h>

namespace ingot::cuda {

namespace {

/// A folder of its own for each test, as INGOT_CACHE.
class ChoiceFileTest : public testing::Test {
   protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "ingot-choices-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        use(folder_ / "made/when/needed");
    }
    void TearDown() override {
        unsetenv("INGOT_CACHE");
        std::filesystem::remove_all(folder_);
    }
    static void use(const std::filesystem::path& cache) { ASSERT_EQ(setenv("INGOT_CACHE", cache.c_str(), 1), 0); }
    std::filesystem::path file() const { return folder_ / "made/when/needed/matmul-A-GPU--1-.txt"; }

    std::filesystem::path folder_;
};

}  // namespace

TEST_F(ChoiceFileTest, KeepsWhatCameFirst) {
    const ChoiceFile choices("matmul A/GPU (1)");
    EXPECT_EQ(choices.find("1,2"), std::nullopt);
    choices.add("1,2", "3 4 5");
    choices.add("1,2", "6");
    choices.add("1,22", "7");
    EXPECT_TRUE(std::filesystem::exists(file()));
    const ChoiceFile later("matmul A/GPU (1)");
    EXPECT_EQ(later.find("1,2"), "3 4 5");
    EXPECT_EQ(later.find("1,22"), "7");
    EXPECT_EQ(later.find("1"), std::nullopt);
    EXPECT_EQ(ChoiceFile("another").find("1,2"), std::nullopt);
}

TEST_F(ChoiceFileTest, DamagedLinesDoNotCount) {
    const ChoiceFile choices("matmul A/GPU (1)");
    choices.add("1", "23");
    std::string text;
    std::getline(std::ifstream(file()), text);
    for (const std::string& line :
         {text.substr(0, text.size() - 3), "1 = 24" + text.substr(6), std::string("1 = "), std::string("1 = #")}) {
        std::ofstream(file()) << line << '\n';
        EXPECT_EQ(choices.find("1"), std::nullopt) << line;
    }
    choices.add("1", "23");
    EXPECT_EQ(choices.find("1"), "23");
}

TEST_F(ChoiceFileTest, WithoutAPlaceNothingIsKept) {
    use("/proc/none");
    const ChoiceFile choices("matmul");
    choices.add("1", "2");
    EXPECT_EQ(choices.find("1"), std::nullopt);
}

}  // namespace ingot::cuda
