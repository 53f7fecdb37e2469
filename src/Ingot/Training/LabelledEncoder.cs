using Ingot.Data;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>Turns examples with labels into tokens with targets.</summary>
internal static class LabelledEncoder
{
    /// <summary>
    /// Encodes an example. Of a text the first token has the label as its target; of words, the first token of each has that of the word,
    /// and the others none, as is usual.
    /// </summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="example">The example.</param>
    /// <param name="idOf">Id of a label, given where it stands.</param>
    /// <param name="most">Tokens to which it is cut.</param>
    public static (int[] Tokens, int[] Types, int[] Targets, bool TooLong) Encode(
        Tokenizer tokenizer, LabelledExample example, Func<string, string, int> idOf, int most)
    {
        var (text, pair) = example switch
        {
            LabelledText one => (one.Text, one.Pair),
            LabelledWords words => (string.Join(' ', words.Words), null),
            _ => throw new NotSupportedException($"{example.GetType().Name} is no known kind of example"),
        };
        TokenEncoding encoding;
        try
        {
            encoding = tokenizer.Tokenize(text, pair, new EncodeOptions { Truncation = new TruncationOptions(most) });
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException)
        {
            throw new InvalidDataException($"{example.Place}: {e.Message}", e);
        }

        var targets = new int[encoding.Ids.Length];
        Array.Fill(targets, Batch.Ignore);
        if (example is LabelledWords { Words: var list, Labels: var labels })
        {
            foreach (var (token, word) in FirstTokens(encoding, text, list))
                targets[token] = idOf(labels[word], example.Place);
        }
        else if (targets.Length > 0)
        {
            targets[0] = idOf(example.Labels[0], example.Place);
        }

        return (encoding.Ids, encoding.TypeIds, targets, encoding.Overflowing.Count > 0);
    }

    /// <summary>
    /// The first token of each word in a text of words with a space between, in order; words without a token are left out.
    /// </summary>
    public static IEnumerable<(int Token, int Word)> FirstTokens(TokenEncoding encoding, string text, IReadOnlyList<string> words)
    {
        var (word, begin, seen) = (0, 0, -1);
        for (var i = 0; i < encoding.Ids.Length; i++)
        {
            if (encoding.SequenceIds[i] is null)
                continue;
            var (start, end) = encoding.Offsets[i];
            while (start < end && text[start] == ' ')
                start++;
            while (word < words.Count && start >= begin + words[word].Length + 1)
                begin += words[word++].Length + 1;
            if (start == end || word == words.Count || word == seen)
                continue;
            seen = word;
            yield return (i, word);
        }
    }
}
