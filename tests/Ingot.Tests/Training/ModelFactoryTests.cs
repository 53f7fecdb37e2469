using Ingot.Models;
using Ingot.Models.Llama;
using Ingot.Models.T5;
using Ingot.Tests.Graphs;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Training;

/// <summary>Models from options: what a family or a preset gives where nothing is said.</summary>
public class ModelFactoryTests
{
    // Llama 2 7B and 13B have these sizes; 512 · 8/3 is 1,365.3.
    [TestCase("llama", 4096, ExpectedResult = 11008)]
    [TestCase("qwen3", 5120, ExpectedResult = 13824)]
    [TestCase("llama", 512, ExpectedResult = 1536)]
    [TestCase("LLAMA", 96, ExpectedResult = 256)]
    public int AFamilysInnerWidthFollowsTheWidth(string model, int width) =>
        Create(new TrainingOptions { Model = model, HiddenSize = width, NumAttentionHeads = 4, NumHiddenLayers = 1 }).IntermediateSize;

    [Test]
    public void WhatIsSaidCounts()
    {
        var options = new TrainingOptions { Model = "llama", HiddenSize = 64, NumAttentionHeads = 4, IntermediateSize = 100 };
        Assert.That(Create(options).IntermediateSize, Is.EqualTo(100));
    }

    [Test]
    public void APresetKeepsItsOwn() =>
        Assert.That(Create(new TrainingOptions { Model = "qwen3-0.6b" }).IntermediateSize, Is.EqualTo(3072));

    [Test]
    public void AT5BeginsWithThePaddingAndKeepsItsHeads()
    {
        var options = new TrainingOptions { Model = "t5-v1.1-small", NumHiddenLayers = 2 };
        var model = (T5Config)ModelFactory.Create(options, 1000, endOfText: 7, padding: 3);
        Assert.That((model.DecoderStart, model.Padding, model.EndOfText[0]), Is.EqualTo((3, (int?)3, 7)));
        Assert.That((model.Heads, model.HeadSize, model.EncoderLayers, model.DecoderLayers), Is.EqualTo((6, 64, 2, 2)));
        Assert.That(() => ModelFactory.Create(options with { AttentionBias = true }, 1000, 7), Throws.ArgumentException.With.Message
            .Contains("a t5 has no setting attentionBias"));
    }

    [Test]
    public void WhatAFamilyDoesNotHaveIsNamed([Values("gpt2-124m", "bert-tiny", "transformer-tiny", "t5-tiny")] string model)
    {
        var options = new TrainingOptions { Model = model, NumAttentionHeads = 4, NumKeyValueHeads = 2 };
        Assert.That(() => ModelFactory.Create(options, 1000, 7), Throws.ArgumentException.With.Message.Contains("has no setting numKeyValueHeads"));
        Assert.That(() => ModelFactory.Create(options with { NumKeyValueHeads = 4 }, 1000, 7), Throws.Nothing, "as many groups as heads");
    }

    private static IEnumerable<ModelConfig> Models =>
        [.. ModelGradientTests.Models, .. ModelGradientTests.Encoders, .. EncoderDecoderGradientTests.Models];

    [TestCaseSource(nameof(Models))]
    public void OptionsMayOnlyAgreeWithAFolder(ModelConfig model)
    {
        var options = new TrainingOptions
        {
            NumHiddenLayers = model.Layers,
            HiddenSize = model.Width,
            MaxPositionEmbeddings = model.MaxPositions,
            VocabSize = model.VocabularySize,
        };
        Assert.That(BaseModel.Continue(model, options, "folder"), Is.TypeOf(model.GetType()));
        void Refuses(string key, TrainingOptions other) => Assert.That(() => BaseModel.Continue(model, other, "folder"),
            Throws.ArgumentException.With.Message.Match($"{key} is .*, but the model in folder has .*: leave {key} out"));
        Refuses("hiddenSize", options with { HiddenSize = 1 });
        Refuses("headDim", options with { HeadDim = 1 });
        Refuses("hiddenAct", options with { HiddenAct = "none of them" });
        Refuses("vocabSize", options with { VocabSize = 1 });
    }

    private static LlamaConfig Create(TrainingOptions options) => (LlamaConfig)ModelFactory.Create(options, 1000, null);
}
