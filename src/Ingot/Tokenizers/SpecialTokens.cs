using System.Buffers;
using System.Text;

namespace Ingot.Tokenizers;

/// <summary>Finds special tokens in text. They are taken verbatim, before the text is cut into pre-tokens.</summary>
internal sealed class SpecialTokens
{
    private readonly (byte[] Utf8, int Id)[] _longestFirst;
    private readonly SearchValues<byte> _firstBytes;

    /// <summary>Takes the special tokens by id; none may be empty.</summary>
    public SpecialTokens(IEnumerable<KeyValuePair<int, string>> tokens)
    {
        var all = tokens.Select(token => (Utf8: Encoding.UTF8.GetBytes(token.Value), Id: token.Key));
        _longestFirst = [.. all.OrderByDescending(token => token.Utf8.Length)];
        _firstBytes = SearchValues.Create([.. _longestFirst.Select(token => token.Utf8[0])]);
    }

    /// <summary>The first special token in the text; of several that begin at one place, the longest.</summary>
    public bool Find(ReadOnlySpan<byte> text, out int at, out int length, out int id)
    {
        for (at = 0; text[at..].IndexOfAny(_firstBytes) is var next and >= 0; at++)
        {
            at += next;
            foreach (var token in _longestFirst)
            {
                if (text[at..].StartsWith(token.Utf8))
                {
                    (length, id) = (token.Utf8.Length, token.Id);
                    return true;
                }
            }
        }

        (length, id) = (0, -1);
        return false;
    }
}
