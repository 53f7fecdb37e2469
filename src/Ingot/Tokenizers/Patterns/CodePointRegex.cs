using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Ingot.Tokenizers.Patterns;

/// <summary>
/// A regular expression of Oniguruma's kind that goes by code points. .NET's goes by UTF-16 units, to which letters beyond U+FFFF are no
/// letters; but a pattern sees a character only through the sets that it names. So every character is replaced by one that stands for
/// all which are in the same of those sets, and .NET's engine, compiled, runs over these: as a rule fewer than thirty.
/// </summary>
internal sealed class CodePointRegex
{
    private static readonly TimeSpan LongestMatch = TimeSpan.FromSeconds(10);

    private const int PageBits = 8;

    private readonly string _source;
    private readonly Lazy<Regex> _regex;
    private readonly char[][] _pages; // The symbol of every code point, by its upper and then its lower bits.

    /// <summary>Compiles a pattern.</summary>
    /// <exception cref="FormatException">It is no pattern, or has a construct that is not supported.</exception>
    public CodePointRegex(string pattern)
    {
        _source = pattern;
        var pieces = PatternSyntax.Translate(pattern);
        var sets = pieces.Select(piece => piece.Set).OfType<CodePointSet>().Distinct().ToArray();
        _pages = MakeSymbols(sets, out var examples);

        var translated = new StringBuilder();
        foreach (var piece in pieces)
        {
            translated.Append(piece.Set is { } set ? ClassOf(set, examples) : piece.Text);
        }

        try
        {
            // Parsing shows whether the pattern is good; compiling takes long, and waits until there is text.
            _ = new Regex(translated.ToString());
            _regex = new Lazy<Regex>(() =>
                new Regex(translated.ToString(), RegexOptions.Compiled | RegexOptions.CultureInvariant, LongestMatch));
        }
        catch (ArgumentException e)
        {
            throw new FormatException($"The pattern \"{pattern}\" is not one that can be run: {e.Message}", e);
        }
    }

    /// <summary>The pattern as it was given.</summary>
    public string Source => _source;

    /// <summary>The matches in a text, from left to right.</summary>
    /// <exception cref="InvalidDataException">A match takes longer than ten seconds: the pattern is not fit for text.</exception>
    public List<(int Start, int End)> Find(ReadOnlySpan<int> codePoints)
    {
        var symbols = new char[codePoints.Length];
        for (var i = 0; i < symbols.Length; i++)
        {
            symbols[i] = SymbolOf(codePoints[i]);
        }

        return Match(symbols);
    }

    /// <summary>The same for UTF-8, in bytes.</summary>
    /// <inheritdoc cref="Find(ReadOnlySpan{int})"/>
    public List<(int Start, int End)> Find(ReadOnlySpan<byte> utf8)
    {
        var symbols = new char[utf8.Length];
        if (!utf8.ContainsAnyExceptInRange<byte>(0, 0x7F))
        {
            var ascii = _pages[0];
            for (var i = 0; i < symbols.Length; i++)
            {
                symbols[i] = ascii[utf8[i]];
            }

            return Match(symbols);
        }

        var starts = new int[utf8.Length + 1];
        var count = 0;
        for (int at = 0, length; at < utf8.Length; at += length)
        {
            Rune.DecodeFromUtf8(utf8[at..], out var rune, out length);
            starts[count] = at;
            symbols[count++] = SymbolOf(rune.Value);
        }

        starts[count] = utf8.Length;
        var matches = Match(symbols.AsSpan(0, count));
        foreach (ref var match in CollectionsMarshal.AsSpan(matches))
        {
            match = (starts[match.Start], starts[match.End]);
        }

        return matches;
    }

    private List<(int Start, int End)> Match(ReadOnlySpan<char> symbols)
    {
        var matches = new List<(int, int)>();
        try
        {
            foreach (var match in _regex.Value.EnumerateMatches(symbols))
            {
                matches.Add((match.Index, match.Index + match.Length));
            }
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new InvalidDataException(
                $"The tokenizer's pattern \"{_source}\" took more than {LongestMatch.TotalSeconds} s at one place of a text of " +
                $"{symbols.Length} characters. It backtracks; it needs to be written in another way.",
                e);
        }

        return matches;
    }

    private char SymbolOf(int codePoint) => _pages[codePoint >> PageBits][codePoint & ((1 << PageBits) - 1)];

    // Between two neighbouring bounds of all sets the code points are alike. Intervals that are in the same sets share a symbol.
    private static char[][] MakeSymbols(CodePointSet[] sets, out List<int> examples)
    {
        var bounds = new SortedSet<int> { 0, 0x110000 };
        foreach (var set in sets)
        {
            bounds.UnionWith(set.Bounds.ToArray());
        }

        examples = [];
        var symbolOf = new Dictionary<string, char>(StringComparer.Ordinal);
        var uniform = new Dictionary<char, char[]>();
        var pages = new char[0x110000 >> PageBits][];
        int[] starts = [.. bounds];
        for (var i = 0; i + 1 < starts.Length; i++)
        {
            var (start, end) = (starts[i], starts[i + 1]);
            var signature = string.Concat(sets.Select(set => set.Contains(start) ? '1' : '0'));
            if (!symbolOf.TryGetValue(signature, out var symbol))
            {
                symbolOf.Add(signature, symbol = (char)examples.Count);
                examples.Add(start);
            }

            while (start < end)
            {
                var page = start >> PageBits;
                var pageEnd = Math.Min(end, (page + 1) << PageBits);
                if (pageEnd - start == 1 << PageBits)
                {
                    if (!uniform.TryGetValue(symbol, out pages[page]!))
                    {
                        pages[page] = new char[1 << PageBits];
                        Array.Fill(pages[page], symbol);
                        uniform.Add(symbol, pages[page]);
                    }
                }
                else
                {
                    pages[page] ??= new char[1 << PageBits];
                    pages[page].AsSpan(start & ((1 << PageBits) - 1), pageEnd - start).Fill(symbol);
                }

                start = pageEnd;
            }
        }

        return pages;
    }

    private static string ClassOf(CodePointSet set, List<int> examples)
    {
        var text = new StringBuilder("[");
        for (var symbol = 0; symbol < examples.Count; symbol++)
        {
            if (set.Contains(examples[symbol]))
            {
                text.Append(CultureInfo.InvariantCulture, $"\\u{symbol:X4}");
            }
        }

        // A set of nothing matches nothing.
        return text.Length == 1 ? "(?!)" : text.Append(']').ToString();
    }
}
