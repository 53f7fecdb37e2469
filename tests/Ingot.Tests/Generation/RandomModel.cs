using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Generation;
using Ingot.Models;
using Ingot.Models.Gpt2;
using Ingot.Tests.Graphs;
using Ingot.Tokenizers;

namespace Ingot.Tests.Generation;

/// <summary>Folders of models with random weights.</summary>
internal static class RandomModel
{
    /// <summary>A tokenizer of the characters of ASCII and a line's end.</summary>
    public static CharacterTokenizer Characters() =>
        CharacterTokenizer.Train("\n" + new string([.. Enumerable.Range(32, 95).Select(c => (char)c)]));

    /// <summary>Writes the folder of a GPT-2 that reads <see cref="Characters"/>.</summary>
    public static string Write(string folder, string? generationConfig = null, int positions = 256)
    {
        var tokenizer = Characters();
        Write(folder, tokenizer, new Gpt2Config
        {
            VocabSize = tokenizer.VocabularySize,
            Positions = positions,
            Embedding = 24,
            LayerCount = 2,
            Heads = 3,
            InitializerRange = 0.2,
        });
        if (generationConfig is not null)
            File.WriteAllText(Path.Combine(folder, GenerationConfig.FileName), generationConfig);
        return folder;
    }

    /// <summary>Writes the folder of a model and gives the values of its parameters.</summary>
    public static Dictionary<string, double[]> Write(string folder, Tokenizer tokenizer, ModelConfig model)
    {
        Directory.CreateDirectory(folder);
        tokenizer.Save(folder);
        File.WriteAllText(Path.Combine(folder, ModelFiles.ConfigName), ModelFiles.ConfigText(model));
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        using (var file = File.Create(Path.Combine(folder, ModelFiles.WeightsName)))
            SafetensorsWriter.Write(file, [.. ModelFiles.Weights(store)], SafetensorsWriter.PyTorchMetadata);
        return ModelGradientTests.Values(store);
    }
}
