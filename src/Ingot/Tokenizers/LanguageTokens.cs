namespace Ingot.Tokenizers;

/// <summary>
/// The tokens of a many-language model that stand for languages, under the codes of their languages: <c>__de__</c> for <c>de</c>, as
/// M2M-100 has them.
/// </summary>
public static class LanguageTokens
{
    /// <summary>The token of a language.</summary>
    public static string Of(string code) => $"__{code}__";

    /// <summary>Codes of the languages that a tokenizer has tokens for, with their ids.</summary>
    public static IReadOnlyDictionary<string, int> Find(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return tokenizer.AddedTokens
            .Where(token => token.Content.Length > 4 && token.Content.StartsWith("__", StringComparison.Ordinal)
                && token.Content.EndsWith("__", StringComparison.Ordinal))
            .ToDictionary(token => token.Content[2..^2], token => token.Id, StringComparer.Ordinal);
    }

    /// <summary>The token of a language.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists the languages that there are.</exception>
    public static int Id(Tokenizer tokenizer, string code)
    {
        var known = Find(tokenizer);
        if (known.TryGetValue(code, out var id))
            return id;
        throw new ArgumentException(known.Count == 0
            ? $"language '{code}': the model's tokenizer has no tokens of languages, so it knows one direction only: leave the language out"
            : $"language '{code}' is not one of the model's: {string.Join(", ", known.Keys.Order(StringComparer.Ordinal))}");
    }
}
