using Ingot.Training;

namespace Ingot.Tests.Runs;

/// <summary>Tests of runs on pairs of texts that are learnt in seconds.</summary>
public abstract class PairRuns : RunTests
{
    /// <summary>A tiny encoder-decoder that learns to reverse texts of a few words.</summary>
    protected TrainingOptions Reversing(string family) => new()
    {
        Model = family,
        NumHiddenLayers = 1,
        HiddenSize = 32,
        NumAttentionHeads = 2,
        HiddenAct = "relu",
        MaxPositionEmbeddings = family == "marian" ? 512 : null,
        Data = Pairs(reversed: true),
        SourceLanguage = family == "marian" ? null : "xx",
        TargetLanguage = family == "marian" ? null : "zz",
        VocabSize = 300,
        PerDeviceTrainBatchSize = 16,
        MaxSteps = 20,
        LearningRate = 5e-3,
        LoggingSteps = 1,
        EvalSteps = 0,
        EvalIterations = 10,
        SaveSteps = 0,
        Threads = 1,
        Device = "cpu",
        OutputDir = RunPath,
    };

    /// <summary>The file of all texts of two to four words, and what shall become of them.</summary>
    protected string Pairs(bool reversed)
    {
        string[] words = ["red", "sun", "sea", "old"];
        var texts = words.Select(word => new[] { word }).ToList();
        var all = new List<string[]>();
        for (var length = 2; length <= 4; length++)
        {
            texts = [.. texts.SelectMany(text => words.Select(word => (string[])[.. text, word]))];
            all.AddRange(texts);
        }

        return Write(reversed ? "reversed.tsv" : "same.tsv", string.Concat(
            all.Select(text => $"{string.Join(' ', text)}\t{string.Join(' ', reversed ? text.Reverse() : text)}\tsomebody\n")));
    }
}
