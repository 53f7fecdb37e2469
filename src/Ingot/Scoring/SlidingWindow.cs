using Ingot.Data;

namespace Ingot.Scoring;

/// <summary>
/// Cuts tokens into windows that a model can read, so that each token is a target once and has as much of a context as the stride leaves:
/// the strided sliding window of Hugging Face's guide on perplexity. A window is as many tokens as the model reads; every next one begins
/// a stride later, and only what the one before has not predicted yet counts in it. The first token has nothing before it, and is no
/// target.
/// </summary>
internal sealed class SlidingWindow
{
    private readonly int _length;
    private readonly int _stride;

    // The tokens of a window and the one behind it, which is the target of its last.
    private readonly List<(int Id, bool Counts)> _tokens;
    private int _next = 1; // The first of them that was no target yet.

    /// <summary>Begins at the beginning of a text.</summary>
    /// <param name="length">Tokens of a window.</param>
    /// <param name="stride">How much later the next begins, 1 to <paramref name="length"/>.</param>
    public SlidingWindow(int length, int stride)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(stride, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(stride, length);
        (_length, _stride) = (length, stride);
        _tokens = new(length + 1);
    }

    /// <summary>Whether the next token is the first of a text.</summary>
    public bool IsEmpty => _tokens.Count == 0;

    /// <summary>Takes a token.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="counts">Whether it is a target.</param>
    /// <returns>A window that is full; null if none is, or nothing in it counts.</returns>
    public LikelihoodWindow? Add(int id, bool counts)
    {
        LikelihoodWindow? window = null;
        if (_tokens.Count == _length + 1)
        {
            window = Take();
            _next = _tokens.Count - _stride;
            _tokens.RemoveRange(0, _stride);
        }

        _tokens.Add((id, counts));
        return window;
    }

    /// <summary>Ends the text; the next token begins another one.</summary>
    /// <returns>The window of what is left; null if nothing in it counts.</returns>
    public LikelihoodWindow? End()
    {
        var window = _tokens.Count > _next ? Take() : null;
        _tokens.Clear();
        _next = 1;
        return window;
    }

    private LikelihoodWindow? Take()
    {
        var (tokens, targets) = (new int[_tokens.Count - 1], new int[_tokens.Count - 1]);
        for (var i = 0; i < tokens.Length; i++)
        {
            tokens[i] = _tokens[i].Id;
            targets[i] = i + 1 >= _next && _tokens[i + 1].Counts ? _tokens[i + 1].Id : Batch.Ignore;
        }

        var window = new LikelihoodWindow(tokens, targets);
        return window.Count > 0 ? window : null;
    }
}
