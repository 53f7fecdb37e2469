using System.Text.Json.Nodes;
using Ingot.Models;
using Ingot.Models.Gpt2;
using Ingot.Models.Llama;
using NUnit.Framework;

namespace Ingot.Tests.Models;

public sealed class ModelConfigTests
{
    [TestCaseSource(typeof(Presets), nameof(Presets.Names))]
    public void APresetComesBackFromItsJson(string name)
    {
        var config = Presets.Find(name)!;
        config.Validate();
        var back = ModelConfig.FromJson((JsonObject)JsonNode.Parse(config.ToJson().ToJsonString())!);
        Assert.That(back.ToJson().ToJsonString(), Is.EqualTo(config.ToJson().ToJsonString()));
    }

    [Test]
    public void SizesThatDoNotFitAreRefused()
    {
        void Refused(ModelConfig config, string fragment) =>
            Assert.That(config.Validate, Throws.ArgumentException.With.Message.Contains(fragment));
        Refused(new Gpt2Config { Embedding = 100, Heads = 12 }, "not divisible by 12 heads");
        Refused(new Gpt2Config { LayerCount = 2_000_000 }, "1 to 1000 layers");
        Refused(new Gpt2Config { ActivationFunction = "tanh" }, "activation_function 'tanh' is not known");
        Refused(new LlamaConfig { LayerCount = 0 }, "1 to 1000 layers");
        Refused(new LlamaConfig { Heads = 32, KeyValueHeads = 5 }, "not a multiple of 5 key/value heads");
        Refused(new LlamaConfig { HeadDim = 7 }, "must be even");
    }

    [TestCase("gpt2-124m", 124_439_808)]
    [TestCase("gpt2-1.5b", 1_557_611_200)]
    [TestCase("llama2-7b", 6_738_415_616)]
    [TestCase("qwen2-0.5b", 494_032_768)]
    [TestCase("qwen3-0.6b", 596_049_920)]
    public void PresetsHaveTheirPublishedNumberOfParameters(string name, long parameters) =>
        Assert.That(Presets.Find(name)!.DeclareParameters().Sum(p => p.Elements), Is.EqualTo(parameters));
}
