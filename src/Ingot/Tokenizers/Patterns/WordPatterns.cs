namespace Ingot.Tokenizers.Patterns;

/// <summary>The regular expressions with which well-known tokenizers cut text into words, as their files write them.</summary>
internal static class WordPatterns
{
    /// <summary>GPT-4's (tiktoken's cl100k_base) and Llama 3's: digits by threes.</summary>
    public const string Gpt4 =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Qwen's (Qwen team 2023): the same with single digits.</summary>
    public const string Qwen =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>GPT-4o's (tiktoken's o200k_base): words also begin at capitals, and contractions belong to them.</summary>
    public const string Gpt4o =
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" +
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" +
        @"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>
    /// Whether the words of a text are those of its chunks (<see cref="SpacedChunks"/>). In these patterns a single space before a plain
    /// character begins a match, and none looks beyond the space that follows a plain character.
    /// </summary>
    public static bool GoByChunks(string pattern) => pattern is Gpt4 or Qwen or Gpt4o;
}
