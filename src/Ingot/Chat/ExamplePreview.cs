using System.Buffers;
using System.Globalization;
using System.Text;
using Ingot.Data;
using Ingot.Tokenizers;

namespace Ingot.Chat;

/// <summary>Shows an example as the model will see it: all of its text, with what is learnt marked.</summary>
public static class ExamplePreview
{
    private const string Learned = "\e[1;32m";
    private const string Given = "\e[2m";
    private const string Off = "\e[0m";

    /// <summary>Writes an example.</summary>
    /// <param name="example">The example.</param>
    /// <param name="tokenizer">The tokenizer that it was made with.</param>
    /// <param name="color">
    /// Whether what is learnt is green and the rest dim, for terminals; otherwise what is learnt stands between « and ».
    /// </param>
    /// <param name="maxTokens">How many tokens are shown at most.</param>
    /// <returns>Lines; the first says how many tokens there are. Control characters are written as <c>\x1b</c>.</returns>
    public static string Format(TokenizedExample example, Tokenizer tokenizer, bool color = false, int maxTokens = 2048)
    {
        ArgumentNullException.ThrowIfNull(example);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxTokens);
        int shown = Math.Min(maxTokens, example.Tokens.Count);
        int targets = example.Learned.Count(learned => learned);
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{example.Tokens.Count} tokens, {targets} of them learnt: ")
            .Append(color ? $"{Learned}learnt{Off}, {Given}only read{Off}" : "those between « and »").Append('\n');
        for (int start = 0; start < shown;)
        {
            int end = start + 1;
            while (end < shown && example.Learned[end] == example.Learned[start])
            {
                end++;
            }

            bool learned = example.Learned[start];
            text.Append(color ? learned ? Learned : Given : learned ? "«" : "");
            AppendShown(text, TextOf(example.Tokens, start, end, tokenizer));
            text.Append(color ? Off : learned ? "»" : "");
            start = end;
        }

        if (shown < example.Tokens.Count)
        {
            text.Append(CultureInfo.InvariantCulture, $"… and {example.Tokens.Count - shown} tokens more");
        }

        return text.ToString().TrimEnd('\n');
    }

    private static string TextOf(IReadOnlyList<int> tokens, int start, int end, Tokenizer tokenizer)
    {
        var utf8 = new ArrayBufferWriter<byte>(16);
        tokenizer.DecodeUtf8(tokens.Skip(start).Take(end - start).ToArray(), utf8);
        return Encoding.UTF8.GetString(utf8.WrittenSpan);
    }

    // Control characters would move the cursor or change colours.
    private static void AppendShown(StringBuilder output, string text)
    {
        foreach (char c in text)
        {
            if (c == '\n' || !char.IsControl(c))
            {
                output.Append(c);
            }
            else
            {
                output.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}");
            }
        }
    }
}
