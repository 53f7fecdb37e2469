using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Models.Gpt2;
using Ingot.Tests.Graphs;
using Ingot.Tokenizers;

namespace Ingot.Tests.Generation;

/// <summary>A model's folder with random weights, whose tokens are the characters of ASCII and a line's end.</summary>
internal static class RandomModel
{
    /// <summary>Writes the folder.</summary>
    public static string Write(string folder, string? generationConfig = null, int positions = 256)
    {
        var tokenizer = CharacterTokenizer.Train("\n" + new string([.. Enumerable.Range(32, 95).Select(c => (char)c)]));
        var model = new Gpt2Config
        {
            VocabSize = tokenizer.VocabularySize,
            Positions = positions,
            Embedding = 24,
            LayerCount = 2,
            Heads = 3,
            InitializerRange = 0.2,
        };
        Directory.CreateDirectory(folder);
        tokenizer.Save(folder);
        File.WriteAllText(Path.Combine(folder, ModelFiles.ConfigName), ModelFiles.ConfigText(model));
        using var store = ModelGradientTests.Store(model, DType.F32, training: false);
        using (var file = File.Create(Path.Combine(folder, ModelFiles.WeightsName)))
            SafetensorsWriter.Write(file, [.. ModelFiles.Weights(store)], SafetensorsWriter.PyTorchMetadata);
        if (generationConfig is not null)
            File.WriteAllText(Path.Combine(folder, "generation_config.json"), generationConfig);
        return folder;
    }
}
