using Ingot.Models;
using Ingot.Models.Gpt2;
using Ingot.Tests.Generation;
using Ingot.Tests.Graphs;
using Ingot.Tokenizers;

namespace Ingot.Tests.Scoring;

/// <summary>
/// A model's folder with random weights, whose tokens are the 256 bytes and an end of text, beside the same model in double precision.
/// </summary>
internal sealed class ByteModel
{
    private readonly ModelConfig _model;
    private readonly Dictionary<string, double[]> _parameters;

    /// <summary>Writes the folder.</summary>
    public ByteModel(string folder, int positions)
    {
        (Folder, Tokenizer) = (folder, BpeTrainer.Train(["abc"u8.ToArray()], vocabularySize: 257));
        _model = new Gpt2Config
        {
            VocabSize = Tokenizer.VocabularySize,
            Positions = positions,
            Embedding = 12,
            LayerCount = 2,
            Heads = 3,
            InitializerRange = 0.4,
        };
        _parameters = RandomModel.Write(folder, Tokenizer, _model);
    }

    public string Folder { get; }

    public Tokenizer Tokenizer { get; }

    public int End => Tokenizer.EndOfTextId!.Value;

    /// <summary>log p of each token but the first, given those before it.</summary>
    public double[] LogProbabilities(IReadOnlyList<int> tokens)
    {
        int[] read = [.. tokens.SkipLast(1)];
        new ReferenceModel(_model, _parameters, 1, read.Length).Loss(read, [.. tokens.Skip(1)], out var logits);
        return [.. logits.Zip(tokens.Skip(1), (row, target) => row[target] - row.Max() - Math.Log(row.Sum(l => Math.Exp(l - row.Max()))))];
    }
}
