using System.Text;

namespace Ingot.Tokenizers;

/// <summary>
/// The pieces that Unigram training begins with: the substrings of counted words that come more than once and are not always followed by
/// the same character, found as SentencePiece finds them, by the common beginnings of sorted suffixes; whole words; and all characters.
/// A piece has <see cref="Longest"/> characters at most, so suffixes are compared so far only, and long words cost no more than short ones.
/// </summary>
internal sealed class UnigramSeeds
{
    /// <summary>The length of the longest pieces, in characters.</summary>
    public const int Longest = 16;

    private const int PerKey = 3; // Characters that fit into a sort key, with 21 bits each.
    private const int Ending = 0; // Behind every word.

    private readonly List<int> _text = []; // Code points + 1.
    private readonly List<long> _counts = []; // By place in the text, of its word.
    private readonly List<(int Place, int Length, long Score)> _found = [];

    /// <summary>Finds the seeds of distinct words.</summary>
    /// <param name="words">UTF-8.</param>
    /// <param name="counts">How often each comes.</param>
    /// <param name="count">How many seeds to take at most, besides the characters: those with the greatest frequency times length.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <returns>The pieces with their scores: the characters, then the others from the greatest score on.</returns>
    /// <exception cref="InvalidOperationException">The words take more than 2 GiB.</exception>
    public static List<(byte[] Piece, double Score)> Find(
        IReadOnlyList<byte[]> words, IReadOnlyList<long> counts, int count, CancellationToken cancellationToken)
    {
        var seeds = new UnigramSeeds();
        var places = seeds.AddWords(words, counts, out var characters);
        seeds.Sort(places, 0, cancellationToken);
        seeds.FindRepeated(places, cancellationToken);

        var result = characters.Select(character => (Utf8([character.Key + 1]), (double)character.Value)).ToList();
        var best = seeds._found.OrderByDescending(seed => seed.Score).ThenBy(seed => seed.Place).ThenBy(seed => seed.Length).Take(count);
        result.AddRange(best.Select(seed => (Utf8(seeds._text.GetRange(seed.Place, seed.Length)), (double)seed.Score)));
        return result;
    }

    private static byte[] Utf8(IEnumerable<int> text)
    {
        var bytes = new List<byte>();
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var symbol in text)
        {
            bytes.AddRange(utf8[..new Rune(symbol - 1).EncodeToUtf8(utf8)]);
        }

        return [.. bytes];
    }

    private int[] AddWords(IReadOnlyList<byte[]> words, IReadOnlyList<long> counts, out SortedDictionary<int, long> characters)
    {
        characters = [];
        var places = new List<int>();
        for (var word = 0; word < words.Count; word++)
        {
            if (_text.Count > (Array.MaxLength / 2) - words[word].Length)
            {
                throw new InvalidOperationException("The distinct words take more than 2 GiB. Use a sample of the text.");
            }

            foreach (var codePoint in Unicode.CodePoints.OfUtf8(words[word]))
            {
                places.Add(_text.Count);
                _text.Add(codePoint + 1);
                _counts.Add(counts[word]);
                characters[codePoint] = characters.GetValueOrDefault(codePoint) + counts[word];
            }

            _text.Add(Ending);
            _counts.Add(0);
        }

        return [.. places];
    }

    // By the first characters, a few at a time; those that agree in them by the next.
    private void Sort(Span<int> places, int depth, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var keys = new ulong[places.Length];
        for (var i = 0; i < keys.Length; i++)
        {
            var isOver = false;
            for (var c = 0; c < PerKey; c++)
            {
                var symbol = isOver || depth + c >= Longest ? Ending : _text[places[i] + depth + c];
                isOver |= symbol == Ending;
                keys[i] = (keys[i] << 21) | (uint)symbol;
            }
        }

        keys.AsSpan().Sort(places);
        for (int start = 0, end; start < keys.Length; start = end)
        {
            for (end = start + 1; end < keys.Length && keys[end] == keys[start]; end++)
            {
            }

            // Whoever has reached the end of a word within the key has no next characters.
            if (end - start > 1 && (keys[start] & 0x1F_FFFF) != Ending && depth + PerKey < Longest)
            {
                Sort(places[start..end], depth + PerKey, cancellationToken);
            }
        }
    }

    // Neighbours in the order have a common beginning. A stack holds the beginnings that are still common, from short to long, each with
    // the count of the suffixes that have it.
    private void FindRepeated(ReadOnlySpan<int> places, CancellationToken cancellationToken)
    {
        var open = new Stack<(int Length, int Place, long Count)>();
        for (var i = 0; i < places.Length; i++)
        {
            if (i % 65536 == 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }

            var common = i + 1 < places.Length ? Common(places[i], places[i + 1]) : 0;
            var count = _counts[places[i]];
            var isWord = places[i] == 0 || _text[places[i] - 1] == Ending;
            if (isWord && count > 1 && LengthAt(places[i]) is var length && length > common && length <= Longest
                && (open.Count == 0 || open.Peek().Length < length))
            {
                Add(places[i], length, count);
            }

            while (open.Count > 0 && open.Peek().Length > common)
            {
                var closed = open.Pop();
                count += closed.Count;
                Add(closed.Place, closed.Length, count);
            }

            if (open.Count > 0 && open.Peek().Length == common)
            {
                var same = open.Pop();
                open.Push((common, Math.Min(same.Place, places[i]), same.Count + count));
            }
            else if (common > 0)
            {
                open.Push((common, places[i], count));
            }
        }
    }

    private void Add(int place, int length, long count)
    {
        if (length > 1)
        {
            _found.Add((place, length, count > long.MaxValue / Longest ? long.MaxValue : count * length));
        }
    }

    private int Common(int a, int b)
    {
        var length = 0;
        while (length < Longest && _text[a + length] == _text[b + length] && _text[a + length] != Ending)
        {
            length++;
        }

        return length;
    }

    private int LengthAt(int place)
    {
        var length = 0;
        while (length <= Longest && _text[place + length] != Ending)
        {
            length++;
        }

        return length;
    }
}
