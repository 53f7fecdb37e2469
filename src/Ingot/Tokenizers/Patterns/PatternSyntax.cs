using System.Globalization;
using System.Text;

namespace Ingot.Tokenizers.Patterns;

/// <summary>
/// Reads a regular expression as Oniguruma understands it (Ruby's syntax), which Hugging Face's tokenizers write. The two agree with
/// .NET in structure, so that is passed on as it is; what matters is which code points a character or a class stands for. The result
/// is the pattern in pieces: .NET's syntax, and sets of code points.
/// </summary>
internal sealed class PatternSyntax
{
    private const int LongestPattern = 1 << 14;
    private const int DeepestNesting = 64;
    private const int MostRepeats = 100_000;

    private static readonly CodePointSet NewLine = CodePointSet.Of('\n', '\n');
    private static readonly CodePointSet Hexadecimal =
        CodePointSet.Of('0', '9').Or(CodePointSet.Of('A', 'F')).Or(CodePointSet.Of('a', 'f'));

    private readonly string _pattern;
    private readonly List<Piece> _pieces = [];
    private int _at;
    private int _depth;
    private bool _ignoreCase;
    private bool _dotIsAll;

    private PatternSyntax(string pattern) => _pattern = pattern;

    /// <summary>A piece of the translated pattern: a set of code points, or else text in .NET's syntax.</summary>
    public readonly record struct Piece(string Text, CodePointSet? Set);

    /// <summary>Translates a pattern.</summary>
    /// <exception cref="FormatException">
    /// It is no pattern, or one with a construct that is not supported; the message says where.
    /// </exception>
    public static IReadOnlyList<Piece> Translate(string pattern)
    {
        var syntax = new PatternSyntax(pattern);
        if (pattern.Length > LongestPattern)
        {
            throw new FormatException($"The pattern has {pattern.Length} characters, more than {LongestPattern}.");
        }

        syntax.Alternatives();
        return syntax._at == pattern.Length ? syntax._pieces : throw syntax.Error("a ) without its (");
    }

    private bool AtEnd => _at >= _pattern.Length;

    private void Alternatives()
    {
        if (++_depth > DeepestNesting)
        {
            throw Error($"groups deeper than {DeepestNesting}");
        }

        var (ignoreCase, dotIsAll) = (_ignoreCase, _dotIsAll);
        while (!AtEnd && _pattern[_at] != ')')
        {
            if (Take('|'))
            {
                Add("|");
            }
            else
            {
                Term();
            }
        }

        (_ignoreCase, _dotIsAll) = (ignoreCase, dotIsAll);
        _depth--;
    }

    // A character, class, group or anchor with what says how often.
    private void Term()
    {
        var start = _pieces.Count;
        Atom();
        while (!AtEnd && Quantifier() is { } quantifier)
        {
            _pieces.Insert(start, new Piece(quantifier.Possessive ? "(?>(?:" : "(?:(?:", null));
            Add($"){quantifier.Text})");
        }
    }

    private (string Text, bool Possessive)? Quantifier()
    {
        var simple = _pattern[_at] is '?' or '*' or '+';
        string text;
        if (simple)
        {
            text = _pattern[_at++].ToString();
        }
        else if (_pattern[_at] == '{' && Repeats() is { } repeats)
        {
            text = repeats;
        }
        else
        {
            return null;
        }

        // In Ruby's syntax {n,m}+ repeats the repeated, and {n}? makes it optional; only ?+ *+ ++ are possessive.
        if (simple && Take('+'))
        {
            return (text, true);
        }

        return ((simple || text.Contains(',', StringComparison.Ordinal)) && Take('?') ? text + "?" : text, false);
    }

    // {n}, {n,}, {,m} or {n,m}; anything else is text.
    private string? Repeats()
    {
        var end = _pattern.IndexOf('}', _at);
        if (end < 0 || _pattern[(_at + 1)..end].Split(',') is not { Length: 1 or 2 } bounds
            || bounds.Any(bound => bound.Any(c => !char.IsAsciiDigit(c))) || bounds.All(bound => bound.Length == 0))
        {
            return null;
        }

        var numbers = bounds.Select(bound =>
            bound.Length == 0 ? ""
                : int.TryParse(bound, out var count) && count <= MostRepeats ? $"{count}"
                : throw Error("too many repeats"));
        var text = string.Join(',', numbers);
        _at = end + 1;
        return text[0] == ',' ? $"{{0{text}}}" : $"{{{text}}}";
    }

    private void Atom()
    {
        var c = _pattern[_at];
        switch (c)
        {
            case '(':
                Group();
                break;
            case '[':
                _at++;
                Add(Class());
                break;
            case '.':
                _at++;
                Add(_dotIsAll ? CodePointSet.All : NewLine.Not());
                break;
            case '^':
                _at++;
                Look("?<!", NewLine.Not());
                break;
            case '$':
                _at++;
                Look("?!", NewLine.Not());
                break;
            case '\\' when Anchor():
                break;
            case '\\':
                Add(Escape());
                break;
            case '?' or '*' or '+':
                throw Error("a repeat of nothing");
            default:
                Add(Cased(CodePointSet.Of(CodePoint(), LastCodePoint)));
                break;
        }
    }

    private bool Anchor()
    {
        switch (_at + 1 < _pattern.Length ? _pattern[_at + 1] : '\0')
        {
            case 'A':
                Add(@"\A");
                break;
            case 'z':
                Add(@"\z");
                break;
            case 'Z':
                Add("(?=");
                Add(NewLine);
                Add(@"?\z)");
                break;
            case 'G':
                Add(@"\G");
                break;
            case 'b':
                Boundary("?<=", "?!", "?<!", "?=");
                break;
            case 'B':
                Boundary("?<=", "?=", "?<!", "?!");
                break;
            default:
                return false;
        }

        _at += 2;
        return true;

        void Boundary(string before, string after, string orBefore, string orAfter)
        {
            Add("(?:");
            Look(before, CodePointSet.Word);
            Look(after, CodePointSet.Word);
            Add("|");
            Look(orBefore, CodePointSet.Word);
            Look(orAfter, CodePointSet.Word);
            Add(")");
        }
    }

    private void Look(string kind, CodePointSet set)
    {
        Add($"({kind}");
        Add(set);
        Add(")");
    }

    private void Group()
    {
        _at++;
        var (ignoreCase, dotIsAll) = (_ignoreCase, _dotIsAll);
        var opening = "(?:";
        if (Take('?'))
        {
            string[] kinds = [":", "=", "!", "<=", "<!", ">"];
            if (Array.Find(kinds, kind => string.CompareOrdinal(_pattern, _at, kind, 0, kind.Length) == 0) is { } kind)
            {
                _at += kind.Length;
                opening = $"(?{kind}";
            }
            else if (Take('<'))
            {
                var end = _pattern.IndexOf('>', _at);
                _at = end < 0 ? throw Error("a group's name without its end") : end + 1;
            }
            else if (Flags())
            {
                return; // (?i) holds for the rest of the group that it stands in.
            }
        }

        Add(opening);
        Alternatives();
        Add(Take(')') ? ")" : throw Error("a ( without its )"));
        (_ignoreCase, _dotIsAll) = (ignoreCase, dotIsAll);
    }

    // True if the flags stand alone: (?i). Otherwise a group follows them: (?i:…).
    private bool Flags()
    {
        for (var on = true; ; _at++)
        {
            switch (AtEnd ? '\0' : _pattern[_at])
            {
                case 'i':
                    _ignoreCase = on;
                    break;
                case 'm':
                    _dotIsAll = on;
                    break;
                case '-':
                    on = false;
                    break;
                case ':' or ')':
                    return _pattern[_at++] == ')';
                default:
                    throw Error("a kind of group that is not supported");
            }
        }
    }

    // After the [.
    private CodePointSet Class()
    {
        if (++_depth > DeepestNesting)
        {
            throw Error($"classes deeper than {DeepestNesting}");
        }

        var negated = Take('^');
        CodePointSet? intersection = null;
        CodePointSet? set = null;
        for (var first = true; ; first = false)
        {
            if (AtEnd)
            {
                throw Error("a [ without its ]");
            }

            if (!first && Take(']'))
            {
                break;
            }

            if (_pattern[_at] == '&' && _at + 1 < _pattern.Length && _pattern[_at + 1] == '&')
            {
                _at += 2;
                intersection = Both(intersection, set);
                set = null;
            }
            else
            {
                set = set is null ? ClassItem() : set.Or(ClassItem());
            }
        }

        _depth--;
        var result = Both(intersection, set);
        return negated ? result.Not() : result;

        static CodePointSet Both(CodePointSet? left, CodePointSet? right)
        {
            right ??= CodePointSet.All.Not();
            return left is null ? right : left.And(right);
        }
    }

    private CodePointSet ClassItem()
    {
        if (_pattern[_at] == '[')
        {
            if (_at + 1 < _pattern.Length && _pattern[_at + 1] == ':')
            {
                throw Error("a POSIX class, which is not supported");
            }

            _at++;
            return Class();
        }

        var item = _pattern[_at] == '\\' ? Escape() : CodePointSet.Of(CodePoint(), LastCodePoint);
        if (item.Bounds is [var first, var next] && next == first + 1
            && _at + 1 < _pattern.Length && _pattern[_at] == '-' && _pattern[_at + 1] is not (']' or '['))
        {
            _at++;
            var end = _pattern[_at] == '\\' ? Escape() : CodePointSet.Of(CodePoint(), LastCodePoint);
            item = end.Bounds is [var last, var after] && after == last + 1 && last >= first
                ? CodePointSet.Of(first, last)
                : throw Error("a range in a class whose end is no character after its beginning");
        }

        return Cased(item);
    }

    // A \ and what follows: a class, or one character.
    private CodePointSet Escape()
    {
        _at++;
        if (AtEnd)
        {
            throw Error("a \\ at the end");
        }

        var c = _pattern[_at];
        switch (c)
        {
            case 'p' or 'P':
                return Property();
            case 'x' or 'u':
                var codePoint = Number(c);
                return Cased(CodePointSet.Of(codePoint, codePoint));
        }

        if (c is >= '1' and <= '9' || (char.IsAsciiLetter(c) && !"sSdDwWhHnrtfvae".Contains(c, StringComparison.Ordinal)))
        {
            throw Error($"\\{c}, which is not supported");
        }

        if (!char.IsAsciiLetter(c) && c != '0')
        {
            return CodePointSet.Of(CodePoint(), LastCodePoint);
        }

        _at++;
        return c switch
        {
            's' => CodePointSet.Space,
            'S' => CodePointSet.Space.Not(),
            'd' => CodePointSet.Category("Nd")!,
            'D' => CodePointSet.Category("Nd")!.Not(),
            'w' => CodePointSet.Word,
            'W' => CodePointSet.Word.Not(),
            'h' => Hexadecimal,
            'H' => Hexadecimal.Not(),
            'n' => NewLine,
            'r' => CodePointSet.Of('\r', '\r'),
            't' => CodePointSet.Of('\t', '\t'),
            'f' => CodePointSet.Of('\f', '\f'),
            'v' => CodePointSet.Of('\v', '\v'),
            'a' => CodePointSet.Of('\a', '\a'),
            'e' => CodePointSet.Of(0x1B, 0x1B),
            _ => CodePointSet.Of(0, 0),
        };
    }

    private CodePointSet Property()
    {
        var negated = _pattern[_at] == 'P';
        var end = _pattern.IndexOf('}', _at);
        if (_at + 1 >= _pattern.Length || _pattern[_at + 1] != '{' || end < 0)
        {
            throw Error("\\p without {…}");
        }

        var name = _pattern[(_at + 2)..end];
        if (name.StartsWith('^'))
        {
            (negated, name) = (!negated, name[1..]);
        }

        var set = name switch
        {
            "Han" => Scripts.Han,
            "Hiragana" => Scripts.Hiragana,
            "Katakana" => Scripts.Katakana,
            "Hangul" => Scripts.Hangul,
            _ => CodePointSet.Category(name) ?? throw Error($"\\p{{{name}}}, which is not supported"),
        };
        _at = end + 1;
        return negated ? set.Not() : set;
    }

    // \xHH, \x{H…} or \uHHHH.
    private int Number(char kind)
    {
        _at++;
        var length = kind == 'u' ? 4 : 2;
        if (kind == 'x' && Take('{'))
        {
            length = _pattern.IndexOf('}', _at) - _at;
        }

        if (length < 1 || _at + length > _pattern.Length
            || !int.TryParse(_pattern.AsSpan(_at, length), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var codePoint)
            || !Rune.IsValid(codePoint))
        {
            throw Error($"\\{kind} without the number of a code point");
        }

        _at += length + (_at + length < _pattern.Length && _pattern[_at + length] == '}' && _pattern[_at - 1] == '{' ? 1 : 0);
        return codePoint;
    }

    private int LastCodePoint { get; set; }

    private int CodePoint()
    {
        Rune.DecodeFromUtf16(_pattern.AsSpan(_at), out var rune, out var length);
        _at += length;
        return LastCodePoint = rune.Value;
    }

    private CodePointSet Cased(CodePointSet set) => _ignoreCase ? set.IgnoringCase() : set;

    private bool Take(char c)
    {
        if (AtEnd || _pattern[_at] != c)
        {
            return false;
        }

        _at++;
        return true;
    }

    private void Add(string text) => _pieces.Add(new Piece(text, null));

    private void Add(CodePointSet set) => _pieces.Add(new Piece("", set));

    private FormatException Error(string what) => new($"The pattern \"{_pattern}\" has {what} (at character {_at}).");
}
