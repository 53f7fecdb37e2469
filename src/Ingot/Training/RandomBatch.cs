using Ingot.Data;
using Ingot.Models;

namespace Ingot.Training;

/// <summary>Batches of random tokens, to measure steps that learn nothing.</summary>
internal static class RandomBatch
{
    /// <summary>A micro-batch of full rows, all of whose targets count; sources are full, too.</summary>
    /// <param name="model">What it is for: its targets are labels or tokens.</param>
    /// <param name="options">Its sizes.</param>
    public static Batch Make(ModelConfig model, TrainingStepOptions options)
    {
        var batch = new Batch(options.Batch, options.Length, options.HasSegments, options.SourceLength);
        var random = new Random(1);
        Fill(batch.Tokens, model.VocabularySize);
        Fill(batch.Targets, model.Task.IsClassification() ? model.Labels.Count : model.VocabularySize);
        Fill(batch.Source, model.VocabularySize);
        batch.RowLengths.Fill(options.Length);
        batch.SourceLengths.Fill(options.SourceLength);
        // A row is one segment.
        batch.Segments.Clear();
        for (var i = 0; i < batch.Positions.Length; i++)
            batch.Positions[i] = i % options.Length;
        return batch;

        void Fill(Span<int> values, int count)
        {
            foreach (ref var value in values)
                value = random.Next(count);
        }
    }
}
