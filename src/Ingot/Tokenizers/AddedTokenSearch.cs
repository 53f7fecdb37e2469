using System.Text;
using Ingot.Tokenizers.Normalizers;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers;

/// <summary>
/// Finds added tokens in a text, as Hugging Face's libraries do: those that are not normalized in the text as it is, then the others in
/// what is left, normalized. Where several begin, the longest counts.
/// </summary>
internal sealed class AddedTokenSearch
{
    private readonly Normalizer? _normalizer;
    private readonly Stage _verbatim;
    private readonly Stage _normalized;

    public AddedTokenSearch(IReadOnlyList<AddedToken> tokens, Normalizer? normalizer)
    {
        _normalizer = normalizer;
        _verbatim = new Stage([.. tokens.Where(token => !token.Normalized).Select(token => (token.Content, token))]);
        _normalized = new Stage([.. tokens.Where(token => token.Normalized).Select(token => (Normalize(token.Content), token))]);

        string Normalize(string content) =>
            normalizer is null || content.Length == 0 ? content : normalizer.Apply(AlignedText.Of(content)).ToString();
    }

    /// <summary>A piece of text: an added token, or text for the model.</summary>
    public readonly record struct Piece(AlignedText Text, AddedToken? Token);

    /// <summary>Cuts a text into added tokens and normalized text. Empty pieces are left out.</summary>
    public List<Piece> Cut(AlignedText text)
    {
        var pieces = new List<Piece>();
        foreach (var verbatim in _verbatim.Cut(text))
        {
            if (verbatim.Token is not null)
            {
                pieces.Add(verbatim);
            }
            else if ((_normalizer?.Apply(verbatim.Text) ?? verbatim.Text) is { Length: > 0 } normalized)
            {
                pieces.AddRange(_normalized.Cut(normalized));
            }
        }

        return pieces;
    }

    private sealed class Stage
    {
        private readonly AddedToken[] _tokens;
        private readonly ByteTrie _trie;

        public Stage((string Content, AddedToken Token)[] tokens)
        {
            var distinct = tokens.Where(token => token.Content.Length > 0).DistinctBy(token => token.Content).ToArray();
            _tokens = [.. distinct.Select(token => token.Token)];
            _trie = new ByteTrie([.. distinct.Select(token => Encoding.UTF8.GetBytes(token.Content))]);
        }

        public List<Piece> Cut(AlignedText text)
        {
            var pieces = new List<Piece>();
            var done = 0;
            for (var at = 0; _tokens.Length > 0 && at < text.Length;)
            {
                var (token, matchEnd) = LongestAt(text, at);
                if (token is null)
                {
                    at++;
                    continue;
                }

                var (start, end) = (at, matchEnd);
                at = matchEnd;
                if (token.SingleWord
                    && ((start > 0 && CodePoints.IsWord(text[start - 1])) || (end < text.Length && CodePoints.IsWord(text[end]))))
                {
                    continue;
                }

                while (token.LStrip && start > done && CodePoints.IsWhiteSpace(text[start - 1]))
                {
                    start--;
                }

                while (token.RStrip && end < text.Length && CodePoints.IsWhiteSpace(text[end]))
                {
                    end++;
                }

                Add(start);
                pieces.Add(new Piece(text.Slice(start, end), token));
                done = end;
            }

            Add(text.Length);
            return pieces;

            void Add(int end)
            {
                if (done < end)
                {
                    pieces.Add(new Piece(text.Slice(done, end), null));
                }
            }
        }

        private (AddedToken? Token, int End) LongestAt(AlignedText text, int start)
        {
            (AddedToken?, int) longest = (null, start);
            Span<byte> utf8 = stackalloc byte[4];
            var node = ByteTrie.Root;
            for (var at = start; at < text.Length; at++)
            {
                foreach (var b in utf8[..new Rune(text[at]).EncodeToUtf8(utf8)])
                {
                    node = _trie.Step(node, b);
                    if (node < 0)
                    {
                        return longest;
                    }
                }

                if (_trie.ValueAt(node) is >= 0 and var value)
                {
                    longest = (_tokens[value], at + 1);
                }
            }

            return longest;
        }
    }
}
