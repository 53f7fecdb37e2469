namespace Ingot.Data;

/// <summary>
/// One sequence to learn from, such as a conversation or a prompt with its answer, and which of its tokens are to be learnt.
/// </summary>
public sealed class TokenizedExample
{
    /// <summary>Makes an example.</summary>
    /// <param name="tokens">Its tokens, special ones included, in order.</param>
    /// <param name="learned">
    /// For each token whether the model shall learn to write it, given all tokens before it: its place counts in the loss. The first
    /// token never does, for nothing comes before it.
    /// </param>
    /// <exception cref="ArgumentException">The two differ in length.</exception>
    public TokenizedExample(int[] tokens, bool[] learned)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentNullException.ThrowIfNull(learned);
        if (tokens.Length != learned.Length)
            throw new ArgumentException($"{tokens.Length} tokens, but {learned.Length} marks of what is to be learnt");
        (Tokens, Learned) = (tokens, learned);
    }

    /// <summary>Makes an example whose targets are not what comes next: labels, for an encoder.</summary>
    /// <param name="tokens">Its tokens, special ones included, in order.</param>
    /// <param name="targets">What is to be predicted at each token, or <see cref="Batch.Ignore"/>.</param>
    /// <param name="types">Which text of a pair each token is from.</param>
    /// <exception cref="ArgumentException">They differ in length.</exception>
    public TokenizedExample(int[] tokens, int[] targets, int[] types)
        : this(tokens, [.. targets.Select(target => target != Batch.Ignore)])
    {
        if (types.Length != tokens.Length)
            throw new ArgumentException($"{tokens.Length} tokens, but {types.Length} types");
        (Targets, Types) = (targets, types);
    }

    /// <summary>How many of its places count in the loss.</summary>
    public long TargetCount => Targets is null ? Learned.Skip(1).LongCount(learned => learned) : Learned.LongCount(learned => learned);

    /// <summary>What is to be predicted at each token, if that is not the next one; null if it is.</summary>
    public IReadOnlyList<int>? Targets { get; }

    /// <summary>Which text of a pair each token is from; null where all are from the first.</summary>
    public IReadOnlyList<int>? Types { get; }

    /// <summary>The tokens.</summary>
    public IReadOnlyList<int> Tokens { get; }

    /// <summary>Which of them are targets.</summary>
    public IReadOnlyList<bool> Learned { get; }
}
