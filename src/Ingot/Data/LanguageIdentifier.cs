using Ingot.Data.Preparation.Cleaning;

namespace Ingot.Data;

/// <summary>
/// Tells the language of a text, by its script where one language alone has it, or else by the commonest small words of each language.
/// Codes are those of ISO 639-1.
/// </summary>
/// <remarks>
/// All languages considered, a text should have twenty words or more. A sentence is enough where few languages are possible, as with a
/// model that translates between some.
/// </remarks>
public static class LanguageIdentifier
{
    /// <summary>What is said of a text whose language cannot be told: ISO 639's code for undetermined.</summary>
    public const string Unknown = LanguageGuess.Unknown;

    /// <summary>Codes of the languages that can be told.</summary>
    public static IReadOnlyList<string> Languages { get; } = [.. LanguageGuess.All.Where(code => code != Unknown)];

    /// <summary>The language of a text, or <see cref="Unknown"/>.</summary>
    /// <param name="text">The text.</param>
    /// <param name="among">Codes of the languages that it may be in; all if it is null. Those that cannot be told do not count.</param>
    public static string Identify(string text, IReadOnlyCollection<string>? among = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        var words = new WordList();
        words.Read(text);
        return among is null ? LanguageGuess.Of(words) : LanguageGuess.Of(words, among);
    }
}
