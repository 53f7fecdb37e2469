using System.Security.Cryptography;
using Ingot.Chat;
using Ingot.Data;
using Ingot.Models;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>One source of a run's data: first as text, then encoded, then as batches of some length.</summary>
internal abstract class DataPart(string name, double? weight) : IDisposable
{
    /// <summary>Where it is from.</summary>
    public string Name { get; } = name;

    /// <summary>How often it is drawn, relative to other sources; null for as often as it has rows.</summary>
    public double? Weight { get; } = weight;

    /// <summary>Whether batches differ in length.</summary>
    public virtual bool HasVariableLength => false;

    /// <summary>Rows of an epoch, once it is prepared; more than any batch where they are not counted.</summary>
    public virtual int RowsPerEpoch => int.MaxValue;

    /// <summary>Whether it has something to validate on, once it is prepared.</summary>
    public abstract bool HasValidation { get; }

    /// <summary>Bytes of text that a validation token stands for on average; null if they are not known.</summary>
    public virtual double? ValidationBytesPerToken => null;

    /// <summary>
    /// What a model can be asked to write of its validation data, once it is prepared: pairs and answers, not running text. Only kept where
    /// there are <see cref="TrainingOptions.EvalMetrics"/>.
    /// </summary>
    public virtual IReadOnlyList<WritingItem> WritingItems => [];

    /// <summary>What it holds, in words and numbers.</summary>
    public abstract string Contents { get; }

    /// <summary>Its first example, or the beginning of its text, as the model will see it.</summary>
    public abstract TokenizedExample Example { get; }

    /// <summary>Its text, to train a tokenizer on.</summary>
    public abstract IEnumerable<ReadOnlyMemory<byte>> ReadUtf8(CancellationToken ct);

    /// <summary>Adds to a hash what tells its text from another.</summary>
    public abstract void AppendTo(IncrementalHash hash);

    /// <summary>Takes the tokenizer, and the template of conversations if there is one; running text becomes tokens.</summary>
    public abstract void Encode(Tokenizer tokenizer, ChatTemplate? template, CancellationToken ct);

    /// <summary>Takes what it must know of the model that is trained on it, before it is prepared.</summary>
    public virtual void Fit(ModelConfig model)
    {
    }

    /// <summary>Lays it out in rows of some length.</summary>
    /// <exception cref="InvalidDataException">It is too short, or cannot be encoded.</exception>
    public abstract void Prepare(int length, ITrainingObserver observer, CancellationToken ct);

    /// <summary>Batches to train on, from the first.</summary>
    public abstract ISeekableBatchSource TrainingBatches(int batch, int length);

    /// <summary>Batches to validate on.</summary>
    public abstract IEvaluationSource ValidationBatches(int batch, int length);

    /// <inheritdoc/>
    public virtual void Dispose()
    {
    }

    /// <summary>Opens a source, of the format that the options say or its beginning shows.</summary>
    /// <param name="source">The source.</param>
    /// <param name="options">How it is read and cut.</param>
    /// <param name="fraction">Share that is held back for validation; null if all of it is for validation.</param>
    /// <param name="task">What the model's head is for.</param>
    public static DataPart Open(TrainingSource source, TrainingOptions options, double? fraction, ModelTask task)
    {
        if (task.IsClassification())
            return new LabelledPart(source, task, options, fraction);
        if (task == ModelTask.Seq2seqLm)
            return new PairPart(source, options, fraction);
        if (options.Objective == TrainingObjective.Dpo)
            return new PreferencePart(source, options, fraction);
        var text = TextSource.Open(source.Path);
        if (task == ModelTask.MaskedLm)
            return new MaskedPart(new TextPart(text, source.Weight, options, fraction), options);
        var format = options.DataFormat == DataFormat.Auto ? DataFormats.Recognize(text) : options.DataFormat;
        if (format == DataFormat.Text)
            return new TextPart(text, source.Weight, options, fraction);
        var files = ExampleFiles.Open(source.Path);
        return new ExamplePart(source.Path, source.Weight, options, fraction, text.AppendTo, files.Read);
    }
}
