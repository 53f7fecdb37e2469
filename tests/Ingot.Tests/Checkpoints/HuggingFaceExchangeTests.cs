using System.Text.Json;
using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Models.Gpt2;
using Ingot.Models.Llama;
using Ingot.Tests.Graphs;
using NUnit.Framework;

namespace Ingot.Tests.Checkpoints;

/// <summary>
/// The C# side of bench/huggingface_check.py, which says how to run both: models saved by transformers are loaded here, models from
/// here are exported for transformers. Without INGOT_HUGGINGFACE only the second half runs, and reads its own folders.
/// </summary>
internal sealed class HuggingFaceExchangeTests
{
    private const int Greedy = 12;
    private const double Tolerance = 1e-4;

    private static readonly int[] Ids = [3, 17, 0, 9, 9, 1, 22, 5, 11, 2];

    private static readonly string? Place = Environment.GetEnvironmentVariable("INGOT_HUGGINGFACE");

    private sealed record Exchange(int[] Ids, float[][] Logits, int[] Greedy);

    [Test]
    public void WhatTransformersSavedGivesTheSameLogits()
    {
        if (Place is null)
            Assert.Ignore("INGOT_HUGGINGFACE names no folder of bench/huggingface_check.py");
        var folders = Directory.GetDirectories(Path.Combine(Place!, "theirs"));
        Assert.That(folders, Is.Not.Empty);
        foreach (var folder in folders)
            Compare(folder);
    }

    [Test]
    public void ExportsForTransformersGiveTheSameLogits()
    {
        using var temporary = new TemporaryDirectory();
        var names = new[] { "gpt2", "llama", "qwen2", "qwen3", "gpt2-untied", "llama3" };
        foreach (var (name, model) in names.Zip(Models()))
        {
            var source = temporary[name];
            Directory.CreateDirectory(source);
            using (var store = ModelGradientTests.Store(model, DType.F32, training: false))
            {
                File.WriteAllText(Path.Combine(source, "config.json"), ModelFiles.ConfigText(model));
                using var weights = File.Create(Path.Combine(source, "model.safetensors"));
                SafetensorsWriter.Write(weights, [.. ModelFiles.Weights(store)]);
            }

            var output = Path.Combine(Place ?? temporary["exported"], "ours", name);
            if (Directory.Exists(output))
                Directory.Delete(output, recursive: true);
            ModelExport.Write(source, output, new ModelExportOptions { MaxShardSize = name == "llama" ? 10_000 : 5_000_000_000 });
            File.WriteAllText(Path.Combine(output, "exchange.json"), JsonSerializer.Serialize(Run(source), JsonSerializerOptions.Web));
            Compare(output);
        }
    }

    private static IEnumerable<ModelConfig> Models()
    {
        foreach (var model in ModelGradientTests.Models)
        {
            yield return model switch
            {
                Gpt2Config c => c with { Positions = 64 },
                LlamaConfig c => c with { Positions = 64 },
                _ => throw new NotSupportedException(),
            };
        }

        yield return (Gpt2Config)ModelGradientTests.Models[0] with { Positions = 64, TieWordEmbeddings = false };
        yield return (LlamaConfig)ModelGradientTests.Models[1] with
        {
            Positions = 64,
            RopeTheta = 500,
            AttentionBias = true,
            RopeScaling = new RopeScaling.Llama3 { Factor = 8, LowFrequencyFactor = 1, HighFrequencyFactor = 4, OriginalPositions = 16 },
        };
    }

    private static Exchange Run(string folder)
    {
        var (model, store) = ModelFiles.LoadModel(folder, Device.Cpu, DType.F32, training: false);
        using (store)
        using (var decoder = new Decoder(model, store))
        {
            float[][] logits = [.. Enumerable.Range(1, Ids.Length).Select(length => decoder.Logits(Ids[..length]))];
            return new Exchange(Ids, logits, [.. decoder.Write(Ids, new GenerationOptions { MaxNewTokens = Greedy, Temperature = 0 })]);
        }
    }

    private static void Compare(string folder)
    {
        var json = File.ReadAllText(Path.Combine(folder, "exchange.json"));
        var expected = JsonSerializer.Deserialize<Exchange>(json, JsonSerializerOptions.Web)!;
        Assert.That(expected.Ids, Is.EqualTo(Ids));
        var actual = Run(folder);
        for (var t = 0; t < Ids.Length; t++)
            Assert.That(actual.Logits[t], Is.EqualTo(expected.Logits[t]).Within(Tolerance), $"{folder}, token {t}");
        Assert.That(actual.Greedy, Is.EqualTo(expected.Greedy), folder);
    }
}
