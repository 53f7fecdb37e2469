using Ingot.Tokenizers;

namespace Ingot.Pairs;

/// <summary>
/// Writes texts the way an encoder-decoder reads and writes them: a source is its tokens and the token that ends texts, a target the same;
/// where a model knows several languages, each begins with the token of its own.
/// </summary>
/// <param name="tokenizer">The tokenizer.</param>
/// <param name="end">The token that ends texts.</param>
public sealed class PairEncoder(Tokenizer tokenizer, int end)
{
    /// <summary>The ids of a source.</summary>
    /// <param name="text">The text.</param>
    /// <param name="language">Id of the token that it begins with; null for none.</param>
    public int[] EncodeSource(string text, int? language = null) => Encode(tokenizer, text, language);

    /// <summary>The ids of a target.</summary>
    /// <param name="text">The text.</param>
    /// <param name="language">Id of the token that it begins with; null for none.</param>
    public int[] EncodeTarget(string text, int? language = null) => Encode(tokenizer.ForTargets, text, language);

    /// <summary>At most so many ids: what is too much is taken from before the token that ends them.</summary>
    public int[] Truncate(int[] ids, int most) => ids.Length <= most ? ids : [.. ids.AsSpan(0, most - 1), end];

    private int[] Encode(Tokenizer side, string text, int? language)
    {
        var ids = new List<int>();
        if (language is { } id)
            ids.Add(id);
        side.Encode(text.AsSpan(), ids);
        ids.Add(end);
        return [.. ids];
    }
}
