using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Training;

namespace Ingot.Encoders;

/// <summary>A label and how probable it is.</summary>
/// <param name="Label">The label.</param>
/// <param name="Score">Its probability, 0 to 1.</param>
public readonly record struct LabelScore(string Label, double Score);

/// <summary>A word or token of a text with its likeliest label.</summary>
/// <param name="Word">What stands in the text.</param>
/// <param name="Start">Where it begins, in chars.</param>
/// <param name="End">Where it ends.</param>
/// <param name="Label">The likeliest label.</param>
/// <param name="Score">Its probability, 0 to 1.</param>
public sealed record LabelledSpan(string Word, int Start, int End, string Label, double Score);

/// <summary>
/// Gives labels to texts, pairs of texts or words, with a model that has a head for it (sequence-classification, token-classification).
/// </summary>
/// <remarks>Not to be used by several threads at once.</remarks>
public sealed class TextClassifier : IDisposable
{
    private readonly EncoderProgram _program;

    private TextClassifier(EncoderProgram program) => _program = program;

    /// <summary>What the labels are for: whole texts or words.</summary>
    public ModelTask Task => _program.Model.Task;

    /// <summary>The labels by id.</summary>
    public IReadOnlyList<string> Labels => _program.Model.Labels;

    /// <summary>Whether texts longer than the model's positions are cut; otherwise they are an error.</summary>
    public bool Truncation { get; init; }

    /// <summary>Loads a classifier from its folder.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="computeType">dtype of computations.</param>
    /// <param name="batchSize">Texts that go through the model at a time.</param>
    /// <param name="truncation">See <see cref="Truncation"/>.</param>
    /// <param name="adapter">Folder of an adapter that is merged into the weights; the model's folder may be that of one itself.</param>
    /// <exception cref="InvalidDataException">The folder holds no classifier; the message says what it holds.</exception>
    public static TextClassifier Load(string folder, Device device, DType computeType = DType.F32, int batchSize = 16,
        bool truncation = false, string? adapter = null)
    {
        var program = EncoderProgram.Load(folder, device, computeType, batchSize, model => model.Task.IsClassification() ? model
            : throw new InvalidDataException($"{folder} holds a {model.ModelType} for {model.Task.Name()}, which has no labels: fine-tune "
                + "it first, `ingot train --model DIR --task sequence-classification --data labelled.jsonl`"), adapter);
        return new TextClassifier(program) { Truncation = truncation };
    }

    /// <summary>The labels of each text or pair with their probabilities, the likeliest first.</summary>
    /// <exception cref="InvalidOperationException">The model labels words.</exception>
    /// <exception cref="InvalidDataException">A text is too long, or cannot be written in the vocabulary.</exception>
    public IReadOnlyList<IReadOnlyList<LabelScore>> Classify(
        IEnumerable<(string Text, string? Pair)> texts, CancellationToken cancellationToken = default)
    {
        if (Task != ModelTask.SequenceClassification)
            throw new InvalidOperationException("this model labels words, not whole texts: call ClassifyWords");
        var encodings = texts.Select(text => _program.Encode(text.Text, text.Pair, Truncation)).ToList();
        return [.. _program.Run(encodings, cancellationToken).Select(IReadOnlyList<LabelScore> (logits) =>
            [.. Softmax(logits).Select((score, id) => new LabelScore(Labels[id], score)).OrderByDescending(label => label.Score)])];
    }

    /// <inheritdoc cref="Classify(IEnumerable{ValueTuple{string, string}}, CancellationToken)"/>
    public IReadOnlyList<LabelScore> Classify(string text, string? pair = null) => Classify([(text, pair)])[0];

    /// <summary>
    /// The words of each text, which stand between white space, with their likeliest labels: a word has that of its first token.
    /// </summary>
    /// <exception cref="InvalidOperationException">The model labels whole texts.</exception>
    /// <exception cref="InvalidDataException">A text is too long, or cannot be written in the vocabulary.</exception>
    public IReadOnlyList<IReadOnlyList<LabelledSpan>> ClassifyWords(IEnumerable<string> texts,
        CancellationToken cancellationToken = default)
    {
        if (Task != ModelTask.TokenClassification)
            throw new InvalidOperationException("this model labels whole texts, not words: call Classify");
        var all = texts.ToList();
        var words = all.ConvertAll(WordsOf);
        var joined = words.ConvertAll(list => string.Join(' ', list.Select(word => word.Word)));
        var encodings = joined.ConvertAll(text => _program.Encode(text, null, Truncation));
        var logits = _program.Run(encodings, cancellationToken);
        return [.. encodings.Select(IReadOnlyList<LabelledSpan> (encoding, text) =>
            [.. LabelledEncoder.FirstTokens(encoding, joined[text], [.. words[text].Select(word => word.Word)]).Select(first =>
            {
                var scores = Softmax(logits[text].AsSpan(first.Token * Labels.Count, Labels.Count));
                var best = Array.IndexOf(scores, scores.Max());
                var (word, start) = words[text][first.Word];
                return new LabelledSpan(word, start, start + word.Length, Labels[best], scores[best]);
            })])];
    }

    /// <inheritdoc/>
    public void Dispose() => _program.Dispose();

    internal static double[] Softmax(ReadOnlySpan<float> logits)
    {
        var most = double.NegativeInfinity;
        foreach (var logit in logits)
            most = Math.Max(most, logit);
        var scores = new double[logits.Length];
        var sum = 0.0;
        for (var i = 0; i < scores.Length; i++)
            sum += scores[i] = Math.Exp(logits[i] - most);
        for (var i = 0; i < scores.Length; i++)
            scores[i] /= sum;
        return scores;
    }

    private static List<(string Word, int Start)> WordsOf(string text)
    {
        var words = new List<(string, int)>();
        for (var at = 0; at < text.Length;)
        {
            var end = at;
            while (end < text.Length && !char.IsWhiteSpace(text[end]))
                end++;
            if (end > at)
                words.Add((text[at..end], at));
            at = end + 1;
        }

        return words;
    }
}
