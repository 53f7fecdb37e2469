using System.Diagnostics;
using Ingot.Generation;

namespace Ingot.Trainer;

/// <summary>
/// How far the texts are that a model writes of others: on a terminal a line with the time left, and at the end a sentence.
/// </summary>
internal sealed class SourceProgress : IDisposable
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly LineProgress _line;
    private long _tokens;
    private long _newTokens;

    public SourceProgress() => _line = new LineProgress(
        (_, _) => $"{Texts:#,0} of {AllTexts:#,0} texts, {_newTokens / _clock.Elapsed.TotalSeconds:#,0} tokens/s");

    /// <summary>Texts that are there.</summary>
    public long Texts { get; private set; }

    /// <summary>Texts that there will be; 0 if that is not known, and then no progress is shown.</summary>
    public long AllTexts { get; set; }

    /// <summary>Tokens of all sources, by which the time left is estimated.</summary>
    public long AllTokens { get; set; }

    /// <summary>Takes account of a text.</summary>
    public void Add(RewrittenText text)
    {
        Texts++;
        _tokens += text.SourceTokens;
        _newTokens += text.NewTokens;
        if (AllTexts > 0)
        {
            _line.Report(_tokens, Math.Max(AllTokens, _tokens));
        }
    }

    /// <summary>What was done, in how much time.</summary>
    public string Summary()
    {
        TimeSpan time = _clock.Elapsed;
        return $"{Texts:#,0} texts in {time:h\\:mm\\:ss}: {Texts / time.TotalSeconds:#,0.0} texts/s, "
            + $"{_newTokens / time.TotalSeconds:#,0} tokens/s";
    }

    public void Dispose() => _line.Dispose();
}
