namespace Ingot.Data;

/// <summary>One sequence to learn from, such as a conversation or a prompt with its answer, and which of its tokens are to be learnt.</summary>
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

    /// <summary>The tokens.</summary>
    public IReadOnlyList<int> Tokens { get; }

    /// <summary>Which of them are targets.</summary>
    public IReadOnlyList<bool> Learned { get; }
}
